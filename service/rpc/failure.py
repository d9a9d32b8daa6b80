"""End a call with the status of its failure: exception, then TurnError, then status.

A bug of the service is reported to the caller without details and logged with its traceback, but without the
exception's text, which may hold a prompt.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

import grpc

from service.domain.errors import Reason, TurnError, forget_frames
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.status import status_of
from service.telemetry import calls

logger = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[Any, Any]

NOTHING_SENT = {"sent": "false", "events_emitted": "0"}


def failure_of(error: Exception) -> TurnError:
    """Return the error as the caller may see it. Anything but a TurnError is a bug: it is logged."""
    where = "" if isinstance(error, TurnError) else "".join(traceback.format_tb(error.__traceback__))
    forget_frames(error)
    if isinstance(error, TurnError):
        return error
    logger.error("unexpected %s\n%s", type(error).__name__, where)
    return TurnError(Reason.INTERNAL, "internal error; the log of the service says where")


async def end(
    context: Context, error: TurnError, facts: Mapping[str, str], detail: pb.Error | None = None
) -> NoReturn:
    """End the call with the status of this failure. Always raises, as `context.abort` does."""
    calls.failed(error.reason.value)
    status = status_of(error, facts, detail)
    await context.abort(status.code, status.details, status.trailing_metadata)
