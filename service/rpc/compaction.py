"""Serve compactions: `compact`, a method of `CompletionService`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.auth.callers import CALLER
from service.rpc.convert.parsing import parse
from service.rpc.convert.requests import read_compaction
from service.rpc.convert.responses import compact_out
from service.rpc.failure import Context, end, failure_of
from service.rpc.settings import ServerSettings
from service.sessions.compaction import Compaction
from service.telemetry import calls
from service.workers import maybe_aside

if TYPE_CHECKING:
    from service.sessions.budget import Hold
    from service.sessions.manager import Manager


async def compact(
    manager: Manager, settings: ServerSettings, raw: bytes, context: Context
) -> pb.CompactResponse:
    """Serve one call. Whatever fails becomes its status.

    Cancellation: the upstream's answer is cut off before it is raised.
    """
    caller = CALLER.get()
    compaction: Compaction | None = None
    request_id = ""
    try:
        caller.check_size(len(raw))
        with manager.hold(caller, len(raw)) as hold:
            message = await parse(
                pb.CompactRequest,
                raw,
                max_bytes=settings.max_request_bytes,
                max_messages=settings.max_messages,
            )
            request_id = message.request_id
            request = await _read(message, settings, len(raw), hold)
            compaction = Compaction(caller, request)
            compacted = await manager.compactions.run(compaction, calls.current())
            return await maybe_aside(compacted.size > LARGE_BYTES, partial(compact_out, compacted))
    except Exception as error:  # noqa: BLE001  any error ends the call once, with its status
        sent = compaction is not None and compaction.dispatched
        facts = {"sent": "true" if sent else "false", "events_emitted": "0", "request_id": request_id}
        await end(context, failure_of(error), facts)


async def _read(
    message: pb.CompactRequest, settings: ServerSettings, size: int, hold: Hold
) -> CompletionRequest:
    read = partial(read_compaction, message, settings.max_messages, size)
    request = await maybe_aside(size > LARGE_BYTES, read)
    hold.weigh(request)
    CALLER.get().check_model(request.model)
    return request
