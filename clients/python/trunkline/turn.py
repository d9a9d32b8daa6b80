"""One streamed turn, without I/O: its subclasses read the call.

It interprets what comes from the wire, decides on retries, and ends a turn once: with `Done`, with one
`TrunklineError`, or because the caller left.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import grpc

from trunkline.errors import TrunklineError
from trunkline.events import Done, Event, Start, event_from
from trunkline.failures import error_from, read
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.partial import Partial
from trunkline.retry import Attempts

Settle = Callable[[Done | None], None]
"""Called once with the end of a turn; None: it failed, or the caller left."""

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
        self, request: pb.StreamCompletionRequest, attempts: Attempts, settle: Settle | None = None
    ) -> None:
        self.request = request
        self._attempts = attempts
        self._settle = settle
        self._sequence = request.after_sequence
        self._start: Start | None = None
        self._done: Done | None = None
        self._error: pb.Error | None = None
        self._partial = Partial()
        self._heard = False
        self._cancelled = False
        self._ended = False

    def __del__(self) -> None:
        """The loop over it was left: nobody can read it any more."""
        self._end()
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
            self._end()
            if self._call is not None:
                self._call.cancel()

    def _receive(self, response: pb.StreamCompletionResponse) -> Event | None:
        """A message came. None: nothing for the caller, read on."""
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

    def _fail(self, call: grpc.RpcError) -> float:
        """The call failed: how long to wait before the next try. Raises where there is none."""
        error = error_from(call, self._error, self._partial.message())
        delay = None if self._heard or self._ended else self._attempts.delay(error)
        if delay is None:
            self._end()
            raise error from call
        return delay

    def _finish(self) -> None:
        """The call ended with OK, which is correct only after `done`: then the turn has ended before."""
        if self._ended:
            return
        self._end()
        partial = self._partial.message()
        if self._error is not None:
            raise read(grpc.StatusCode.OK, "", event=self._error, partial=partial)
        message = "the stream ended without `done`"
        raise TrunklineError("PROTOCOL_ERROR", message, status=grpc.StatusCode.OK, partial=partial)

    def _raise_cancelled(self) -> None:
        """The end of a turn that `cancel` stopped, for whoever reads it. Once."""
        if self._cancelled:
            self._cancelled = False
            status = grpc.StatusCode.CANCELLED
            partial = self._partial.message()
            raise TrunklineError(status.name, "cancel() was called", status=status, partial=partial)

    def _end(self) -> None:
        """Idempotent: whoever comes first settles the turn."""
        if not self._ended:
            self._ended = True
            if self._settle is not None:
                self._settle(self._done)
