"""Turns: `CompletionService`.

Owns the grammar of the stream: `start (content)* done`, or `[start (content)*] error` and a status that
mirrors it; of a turn that sent nothing upstream, the status alone. Must never start a task: the handler's own
task reads the upstream.

Handlers write with `context.write` instead of yielding: so a caller who leaves is always CancelledError here,
never GeneratorExit. It is never caught.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

import grpc

from service.config.settings import Settings
from service.domain.errors import TurnError
from service.domain.events import Completed, Event
from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest
from service.domain.tenant import Caller
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.auth.callers import CALLER
from service.rpc.convert.parsing import parse
from service.rpc.convert.requests import read_completion
from service.rpc.convert.responses import complete_out, error_out, event_out
from service.rpc.failure import Context, end, failure_of
from service.runtime.workers import aside

if TYPE_CHECKING:
    from service.sessions.budget import Hold
    from service.sessions.manager import Manager
    from service.sessions.turn import Turn

WRITE_RETRY_S = 0.05
"""How often an ending that waits behind an interrupted write asks whether its way is free."""


class CompletionService:
    """Each method gets its request as it came: what may be refused before it is parsed is."""

    def __init__(self, manager: Manager, settings: Settings) -> None:
        self._manager = manager
        self._settings = settings

    async def StreamCompletion(self, raw: bytes, context: Context) -> None:  # noqa: N802
        stream = _Stream(context)
        try:
            caller = self._admitted(raw)
            # The whole block stands in the try: a turn that runs out of time raises on its way out.
            with self._manager.hold(caller, len(raw)) as hold:
                asked = await self._asked(pb.StreamCompletionRequest, raw, stream, hold)
                async with self._manager.turn(caller, asked) as turn, aclosing(turn.batches()) as batches:
                    stream.turn = turn
                    async for batch in batches:
                        for event in batch:
                            await stream.tell(event, turn)
            stream.check_done()
        except grpc.aio.InternalError:
            raise  # a write to a caller who has just left; grpc expects it
        except Exception as error:  # noqa: BLE001  whatever it is, the stream ends once and says so
            await stream.fail(failure_of(error))

    async def Complete(self, raw: bytes, context: Context) -> pb.CompleteResponse:  # noqa: N802
        turn: Turn | None = None
        response: pb.CompleteResponse | None = None
        stream = _Stream(context)
        try:
            caller = self._admitted(raw)
            with self._manager.hold(caller, len(raw)) as hold:
                asked = await self._asked(pb.CompleteRequest, raw, stream, hold)
                async with self._manager.turn(caller, asked) as turn, aclosing(turn.batches()) as batches:
                    async for batch in batches:
                        for event in batch:
                            if isinstance(event, Completed):
                                response = complete_out(event, turn.report())
            return _answer(response)
        except Exception as error:  # noqa: BLE001  whatever it is, the call ends once and says so
            failure = failure_of(error)
            if response is not None:  # the answer is whole: what went wrong behind it is not the caller's
                return response
            facts = _facts(turn, stream.request_id, events=0)
            await end(context, failure, facts, _error(failure, turn, partial=False))

    def _admitted(self, raw: bytes) -> Caller:
        """Returns who calls. Raises INVALID_REQUEST when the request is larger than their tenant may send."""
        caller = CALLER.get()
        caller.check_size(len(raw))
        return caller

    async def _asked(
        self,
        kind: type[pb.StreamCompletionRequest | pb.CompleteRequest],
        raw: bytes,
        stream: _Stream,
        hold: Hold,
    ) -> CompletionRequest:
        settings = self._settings
        request = await parse(
            kind, raw, max_bytes=settings.max_request_bytes, max_messages=settings.max_messages
        )
        stream.request_id = request.request_id
        if len(raw) > LARGE_BYTES:
            asked = await aside(partial(read_completion, request, settings, len(raw)))
        else:
            asked = read_completion(request, settings, len(raw))
        hold.grow(asked.weight)
        CALLER.get().check_model(asked.model)
        return asked


class _Stream:
    """The caller's side of one streamed turn: counts what is told, and ends it once."""

    def __init__(self, context: Context) -> None:
        self.turn: Turn | None = None
        self.request_id = ""
        self._context = context
        self._told = 0
        self._writing = False
        self._done = False

    async def tell(self, event: Event, turn: Turn) -> None:
        self._done = isinstance(event, Completed)
        self._told += 1
        self._writing = True
        await self._context.write(event_out(event, self._told, turn.report))
        self._writing = False

    def check_done(self) -> None:
        if not self._done:
            raise _no_ending()

    async def fail(self, failure: TurnError) -> None:
        if self._done:  # the answer is whole: what went wrong behind it is not the caller's
            return
        error = _error(failure, self.turn, partial=True)
        if error is not None:
            await self._tell_error(error)
        await end(self._context, failure, _facts(self.turn, self.request_id, events=self._told))

    async def _tell_error(self, error: pb.Error) -> None:
        response = pb.StreamCompletionResponse(sequence=self._told + 1, error=error)
        # A write that was interrupted (its caller does not read, and the turn's time is over) goes on inside
        # grpc, which takes one at a time and cannot be asked when it is free. A caller who leaves instead of
        # reading on cancels this wait.
        while True:
            try:
                await self._context.write(response)
                break
            except grpc.aio.InternalError:
                if not self._writing:
                    raise
                await asyncio.sleep(WRITE_RETRY_S)


def _error(failure: TurnError, turn: Turn | None, *, partial: bool) -> pb.Error | None:
    """What is told besides the status: something only of a turn that may have reached the upstream.

    `partial`: with what came of the answer, for which a status has no room.
    """
    if turn is None or not turn.dispatched:
        return None
    return error_out(failure.public(), turn.report(), turn.usage, turn.partial() if partial else None)


def _facts(turn: Turn | None, request_id: str, *, events: int) -> dict[str, str]:
    """What ErrorInfo says of the turn, besides what the error itself knows."""
    facts = {
        "sent": "true" if turn is not None and turn.dispatched else "false",
        "events_emitted": str(events),
        "request_id": request_id,
    }
    if turn is not None:
        report = turn.report()
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
