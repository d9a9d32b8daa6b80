"""Serve turns: `CompletionService`.

A stream follows one grammar: `start (content)* done`, or `[start (content)*] error` and a status that
repeats the error. A turn that sent nothing upstream ends with the status alone. The handler's own task
reads the upstream. One task is started: for the first write, see below.

Handlers write with `context.write` instead of yielding, so a caller who leaves is always CancelledError
here, never GeneratorExit. It is never caught.

The ending of a stream whose write was interrupted. A caller who stops reading blocks `context.write` once
grpc's buffers are full. When the turn's time is over meanwhile, the timeout cancels the wait for that
write, but grpc goes on with the write itself, accepts only one at a time, and has no way to ask when it is
free. Example: the third delta is stuck in its write and the drain ends. The handler still owes the caller
an `error` as the fifth message. Writing it raises InternalError until the caller has read on; so
`_send_error` retries every `WRITE_RETRY_S` until the write succeeds, or until the caller leaves, which
cancels the wait. The caller sees `start, text_delta, text_delta, text_delta, error`, and sequence numbers
without a gap.

The first write also sends the call's metadata, and grpc records that only once the wait for it has ended.
Cancelled, each later write would send them again, and fail for ever. So a task waits for the first write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, aclosing
from functools import partial
from typing import TYPE_CHECKING

import grpc

from service.domain.errors import TurnError
from service.domain.events import Completed, Event
from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest
from service.domain.tenant import Caller
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.auth.callers import CALLER
from service.rpc.compaction import compact
from service.rpc.convert.parsing import parse
from service.rpc.convert.requests import check_linger, read_completion
from service.rpc.convert.responses import complete_out, error_out, event_out
from service.rpc.convert.turn_digest import digest_of
from service.rpc.failure import Context, end, failure_of
from service.rpc.settings import ServerSettings
from service.sessions.reader import Reader
from service.telemetry import calls
from service.workers import aside, maybe_aside

if TYPE_CHECKING:
    from service.sessions.budget import Hold
    from service.sessions.manager import Manager
    from service.sessions.turn import Turn

WRITE_RETRY_S = 0.05
"""How often the ending of a stream is tried again after an interrupted write."""


class CompletionService:
    """Each method gets the raw bytes, so that what can be refused before parsing is."""

    def __init__(self, manager: Manager, settings: ServerSettings) -> None:
        self._manager = manager
        self._settings = settings

    async def StreamCompletion(self, raw: bytes, context: Context) -> None:  # noqa: N802
        stream = _Stream(context)
        try:
            caller = self._check_caller(raw)
            # The whole block is within the try: a turn that runs out of time raises when it exits.
            with self._manager.hold(caller, len(raw)) as hold:
                request = await self._read(pb.StreamCompletionRequest, raw, stream, hold)
                if request.turn_key or request.options.heartbeat_s:
                    running = self._kept(caller, request, stream, hold)
                else:
                    running = self._manager.turn(caller, request, calls.current())
                async with running as turn, aclosing(turn.batches()) as batches:
                    stream.follow(turn)
                    async for batch in batches:
                        if not batch:
                            await stream.beat()
                        for event in batch:
                            await stream.send(event, turn)
            stream.check_done()
        except grpc.aio.InternalError:
            raise  # a write to a caller who has just left; grpc expects it
        except Exception as error:  # noqa: BLE001  any error ends the stream once, with its status
            await stream.fail(failure_of(error))

    async def Complete(self, raw: bytes, context: Context) -> pb.CompleteResponse:  # noqa: N802
        turn: Turn | Reader | None = None
        response: pb.CompleteResponse | None = None
        stream = _Stream(context)
        try:
            caller = self._check_caller(raw)
            with self._manager.hold(caller, len(raw)) as hold:
                request = await self._read(pb.CompleteRequest, raw, stream, hold)
                if request.turn_key:
                    running = self._kept(caller, request, stream, hold, streams=False)
                else:
                    running = self._manager.turn(caller, request, calls.current())
                async with running as turn, aclosing(turn.batches()) as batches:
                    async for batch in batches:
                        for event in batch:
                            if isinstance(event, Completed):
                                response = complete_out(event, turn.report())
            return _answer(response)
        except Exception as error:  # noqa: BLE001  any error ends the call once, with its status
            failure = failure_of(error)
            if response is not None:  # the answer is complete: a later failure does not concern the caller
                return response
            facts = _facts(turn, stream.request_id, events=0)
            await end(context, failure, facts, _error(failure, turn, partial=False))

    async def Compact(self, raw: bytes, context: Context) -> pb.CompactResponse:  # noqa: N802
        return await compact(self._manager, self._settings, raw, context)

    def _check_caller(self, raw: bytes) -> Caller:
        """Return the caller. Raises INVALID_REQUEST when the request is larger than its tenant may send."""
        caller = CALLER.get()
        caller.check_size(len(raw))
        return caller

    def _kept(
        self,
        caller: Caller,
        request: CompletionRequest,
        stream: _Stream,
        hold: Hold,
        *,
        streams: bool = True,
    ) -> AbstractAsyncContextManager[Turn | Reader]:
        """Return a context manager that reads a turn in a task of its own, begun by this call or by another.

        So it is with a key, and where heartbeats are to be written while the turn's own task is busy reading.
        """
        call = calls.current()
        return self._manager.kept.read(caller, request, stream.digest, hold, call, streams=streams)

    async def _read(
        self,
        kind: type[pb.StreamCompletionRequest | pb.CompleteRequest],
        raw: bytes,
        stream: _Stream,
        hold: Hold,
    ) -> CompletionRequest:
        settings = self._settings
        message = await parse(
            kind, raw, max_bytes=settings.max_request_bytes, max_messages=settings.max_messages
        )
        stream.request_id = message.request_id
        if len(raw) > LARGE_BYTES:
            request = await aside(partial(read_completion, message, settings.max_messages, len(raw)))
        else:
            request = read_completion(message, settings.max_messages, len(raw))
        hold.weigh(request)
        if request.turn_key:
            check_linger(request.options.linger_s, settings.max_linger_s)
            content = partial(digest_of, message, CALLER.get())
            stream.digest = await maybe_aside(request.large, content)
        CALLER.get().check_model(request.model)
        return request


class _Stream:
    """Send the events of one turn, number them, and end the stream once."""

    def __init__(self, context: Context) -> None:
        self.turn: Turn | Reader | None = None
        self.request_id = ""
        self.digest = b""
        """That of the request's content, if it has a turn key."""
        self._begun = False
        self._context = context
        self._sent = 0
        self._writing = False
        self._done = False

    def follow(self, turn: Turn | Reader) -> None:
        """Stream this turn, from where it begins for this call."""
        self.turn = turn
        self._sent = turn.position if isinstance(turn, Reader) else 0

    async def send(self, event: Event, turn: Turn | Reader) -> None:
        """Write one event. Cancellation leaves the write to grpc: see the top of the module."""
        self._done = isinstance(event, Completed)
        self._sent += 1
        self._writing = True
        writing = self._context.write(event_out(event, self._sent, turn.report))
        await (writing if self._begun else self._begin(writing))
        self._writing = False

    async def beat(self) -> None:
        """Write that nothing happened since the last event."""
        self._writing = True
        heartbeat = pb.StreamCompletionResponse(sequence=self._sent, heartbeat=pb.Heartbeat())
        writing = self._context.write(heartbeat)
        await (writing if self._begun else self._begin(writing))
        self._writing = False

    async def _begin(self, writing: Awaitable[None]) -> None:
        """Wait for the first write of the call, in a task of its own: see the top of the module."""
        self._begun = True
        first = asyncio.ensure_future(writing)
        first.add_done_callback(_retrieve)
        await asyncio.shield(first)

    def check_done(self) -> None:
        """Raise RuntimeError when the turn ended without a Completed event, and the caller has none."""
        if not self._done and not (isinstance(self.turn, Reader) and self.turn.completed):
            raise _no_ending()

    async def fail(self, failure: TurnError) -> None:
        """End the stream with an error, if anything was sent upstream, and a status."""
        if self._done:  # the answer is complete: a later failure does not concern the caller
            return
        error = _error(failure, self.turn, partial=True)
        if error is not None:
            await self._send_error(error)
        await end(self._context, failure, _facts(self.turn, self.request_id, events=self._sent))

    async def _send_error(self, error: pb.Error) -> None:
        response = pb.StreamCompletionResponse(sequence=self._sent + 1, error=error)
        # An interrupted write goes on inside grpc, which takes one at a time: see the top of the module.
        while True:
            try:
                await self._context.write(response)
                break
            except grpc.aio.InternalError:
                if not self._writing:
                    raise
                await asyncio.sleep(WRITE_RETRY_S)


def _retrieve(write: asyncio.Future[None]) -> None:
    """Mark the exception as seen of a write that nobody may wait for any more: its caller has left."""
    if not write.cancelled():
        write.exception()


def _error(failure: TurnError, turn: Turn | Reader | None, *, partial: bool) -> pb.Error | None:
    """Return the error that accompanies the status. Returns None when nothing was sent upstream.

    `partial`: include the incomplete answer, for which a status has no room.
    """
    if turn is None or not turn.dispatched:
        return None
    return error_out(failure.public(), turn.report(), turn.usage, turn.partial() if partial else None)


def _facts(turn: Turn | Reader | None, request_id: str, *, events: int) -> dict[str, str]:
    """Return the facts of the turn for ErrorInfo; those of the error are added by `status_of`."""
    facts = {
        "sent": "true" if turn is not None and turn.dispatched else "false",
        "events_emitted": str(events),
        "request_id": request_id,
    }
    if turn is not None and (report := turn.report()).turn_id:
        facts["turn_id"] = report.turn_id
        facts["transport_reason"] = report.transport_reason.value
        facts["attempts"] = str(report.attempts)
    return facts


def _answer(response: pb.CompleteResponse | None) -> pb.CompleteResponse:
    if response is None:
        raise _no_ending()
    return response


def _no_ending() -> RuntimeError:
    return RuntimeError("the turn ended without an ending")
