"""How a call fails: any exception → one failure → one status.

Owns what is told of a bug of ours (little) and what is logged of it (where, not what: an exception's own text
may hold a prompt). Must never write to a stream: it knows endings only.
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
    """As the caller may hear it. Anything but a TurnError is a bug of ours."""
    where = "" if isinstance(error, TurnError) else "".join(traceback.format_tb(error.__traceback__))
    forget_frames(error)
    if isinstance(error, TurnError):
        return error
    logger.error("unexpected %s\n%s", type(error).__name__, where)
    return TurnError(Reason.INTERNAL, "internal error; the log of the service says where")


async def end(
    context: Context, error: TurnError, facts: Mapping[str, str], detail: pb.Error | None = None
) -> NoReturn:
    """Ends the call with the status of this failure. Raises, as `context.abort` does: nothing follows it."""
    calls.failed(error.reason.value)
    status = status_of(error, facts, detail)
    await context.abort(status.code, status.details, status.trailing_metadata)
