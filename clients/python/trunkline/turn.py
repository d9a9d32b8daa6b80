"""One streamed turn, without I/O: its subclasses read the call.

It interprets what comes from the wire, decides on retries, and ends a turn once: with `Done`, with one
`TrunklineError`, or because the caller left. A turn that is resumed has several calls: each asks, by the key
of the turn, for the events after the last one that came.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import grpc

from trunkline.errors import ConnectionFailedError, TrunklineError, TurnCancelledError
from trunkline.events import Done, Event, Start, event_from
from trunkline.failures import error_from, read
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1.session_pb2 import CancelTurnRequest
from trunkline.lingering import is_left
from trunkline.partial import Partial
from trunkline.requests import cancel_request
from trunkline.retry import Attempts

Settle = Callable[[Done | None], None]
"""Called once with the end of a turn; None: it failed, or the caller left."""

Stop = Callable[[CancelTurnRequest], None]
"""Tells the service to stop a turn, without waiting for it."""

SETTLE_S = 1.0
"""How long to wait for the status after `done`: to leave earlier would look like a cancel to the service."""


class AnyCall(Protocol):
    """What the calls of grpc's two faces have in common."""

    def cancel(self) -> bool: ...


C = TypeVar("C", bound=AnyCall)


class Turn(Generic[C]):
    """See `AsyncTurn` and `SyncTurn`."""

    _call: C | None = None
    _ended = True  # until there is something to end: __del__ also meets what __init__ refused

    def __init__(
        self,
        request: pb.StreamCompletionRequest,
        attempts: Attempts,
        settle: Settle | None = None,
        stop: Stop | None = None,
    ) -> None:
        """With `stop` the turn is resumed where its connection breaks; `attempts` must agree."""
        if stop is not None and not request.turn_key:
            raise ValueError("resume: the request needs a turn_key")
        self.request = request
        self._attempts = attempts
        self._settle = settle
        self._stop = stop
        self._sequence = request.after_sequence
        self._opened = False
        self._first = False  # the next event is the first one of its call
        self._start: Start | None = None
        self._done: Done | None = None
        self._error: pb.Error | None = None
        self._partial = Partial()
        self._heard = False
        self._cancelled = False
        self._ended = False

    def __del__(self) -> None:
        """The loop over it was left: nobody can read it any more."""
        self._leave()
        if self._call is not None:
            with suppress(RuntimeError):  # its event loop is closed, and the call with it
                self._call.cancel()

    def __repr__(self) -> str:
        state = "done" if self._done else "ended" if self._ended else "running" if self._heard else "waiting"
        return f"<{type(self).__name__} of {self.request.session_id}: {state}>"

    @property
    def start(self) -> Start | None:
        """What was true when the upstream began; None: it has not."""
        return self._start

    @property
    def key(self) -> str:
        """The name of the turn, for other calls; empty: it has none."""
        return self.request.turn_key

    @property
    def sequence(self) -> int:
        """The number of the last event; before the first one, what the call was to begin after."""
        return self._sequence

    @property
    def text(self) -> str:
        """The text that has come so far."""
        return self._done.text if self._done else self._partial.text

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def done(self) -> Done:
        """How the turn ended. Only a turn that was read to its end, and ended well, has one."""
        if self._done is None:
            raise RuntimeError("the turn has no end: read its events first, or use result()")
        return self._done

    def cancel(self) -> None:
        """Stops it. Its reader gets a `TrunklineError` (CANCELLED) with the partial answer."""
        if not self._ended:
            self._cancelled = True
            self._leave()
            if self._call is not None:
                self._call.cancel()

    def _next_request(self) -> pb.StreamCompletionRequest:
        """The request of the next call."""
        self._opened = self._first = True
        self._heard = False
        if self._sequence == self.request.after_sequence:
            return self.request
        request = pb.StreamCompletionRequest()
        request.CopyFrom(self.request)
        request.after_sequence = self._sequence
        return request

    def _receive(self, response: pb.StreamCompletionResponse) -> Event | None:
        """A message came. None: nothing for the caller, read on."""
        if self._stop is not None and not self._is_next(response):
            return None
        self._heard = True
        self._sequence = response.sequence
        if response.HasField("error"):
            self._error = response.error  # kept until the status comes: the caller hears of both at once
            return None
        event = event_from(response)
        if isinstance(event, Done):
            self._done = event
            self._end()
        elif isinstance(event, Start):
            self._start = event
        elif event is not None:
            self._partial.add(event)
        return event

    def _is_next(self, response: pb.StreamCompletionResponse) -> bool:
        """Whether a turn that is resumed goes on with this message: each event counts once and in order."""
        if response.HasField("heartbeat"):
            return False
        first, self._first = self._first, False
        due = self._sequence + 1
        if response.sequence == due:
            self._attempts.progressed()
            return True
        if first and response.sequence == 1:
            self._give_up(
                "the turn was lost with its connection: the service began another one, which is stopped",
                turn_id=response.start.turn_id,
            )
        if response.sequence > due:
            self._give_up(f"event {response.sequence} came where event {due} was due", turn_key=self.key)
        return False

    def _give_up(self, why: str, **turn: str) -> None:
        """What comes is not what was asked for: end it, and stop the turn that would linger. Raises."""
        self._end()
        if self._call is not None:
            self._call.cancel()
        if self._stop is not None and any(turn.values()):
            self._stop(cancel_request(self.request.session_id, **turn))
        status = grpc.StatusCode.UNAVAILABLE
        raise ConnectionFailedError(status.name, why, status=status, partial=self._partial.message())

    def _fail(self, call: grpc.RpcError) -> float:
        """The call failed: how long to wait before the next try. Raises where there is none."""
        return self._try_again(error_from(call, self._error, self._partial.message()), call)

    def _finish(self) -> float | None:
        """The call ended with OK, which is correct only after `done`: then the turn has ended before.

        Otherwise as `_fail`.
        """
        if self._ended:
            return None
        partial = self._partial.message()
        if self._error is not None:
            return self._try_again(read(grpc.StatusCode.OK, "", event=self._error, partial=partial))
        message = "the stream ended without `done`"
        return self._try_again(
            ConnectionFailedError("PROTOCOL_ERROR", message, status=grpc.StatusCode.OK, partial=partial)
        )

    def _try_again(self, error: TrunklineError, cause: grpc.RpcError | None = None) -> float:
        heard = self._heard and (self._stop is None or not error.lost)
        delay = None if heard or self._ended else self._attempts.delay(error)
        if delay is None:
            if is_left(error):
                self._leave()
            self._end()
            raise self._attempts.verdict(error) from cause
        return delay

    def _raise_cancelled(self) -> None:
        """The end of a turn that `cancel` stopped, for whoever reads it. Once."""
        if self._cancelled:
            self._cancelled = False
            status = grpc.StatusCode.CANCELLED
            partial = self._partial.message()
            raise TurnCancelledError(status.name, "cancel() was called", status=status, partial=partial)

    def _leave(self) -> None:
        """The caller goes before the end: a turn that would go on without them is stopped."""
        if not self._ended:
            self._end()
            if self._stop is not None and self._can_stop():
                self._stop(cancel_request(self.request.session_id, turn_key=self.key))

    def _can_stop(self) -> bool:
        return self._opened

    def _end(self) -> None:
        """Idempotent: whoever comes first settles the turn."""
        if not self._ended:
            self._ended = True
            if self._settle is not None:
                self._settle(self._done)
