"""A blocking streamed turn: open, read, wait before a retry, stop. `Turn` interprets what comes."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import grpc

from trunkline.events import Event
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.retry import Attempts
from trunkline.sync.events import SyncEvents
from trunkline.turn import SETTLE_S, Settle, Stop, Turn

Sleep = Callable[[float], None]


class Call(Protocol):
    """What grpc returns for a stream, and does not name."""

    def __next__(self) -> pb.StreamCompletionResponse: ...
    def cancel(self) -> bool: ...
    def exception(self, timeout: float | None = None) -> BaseException | None: ...


Open = Callable[[pb.StreamCompletionRequest, float | None], Call]


class SyncTurn(Turn[Call], SyncEvents):
    """The events of one turn: `for event in turn`.

    Leaving it early cancels the turn, down to the model: at the end of `with turn:`, or else when nobody
    refers to the turn any more.
    """

    def __init__(
        self,
        open_call: Open,
        sleep: Sleep,
        request: pb.StreamCompletionRequest,
        attempts: Attempts,
        settle: Settle | None = None,
        *,
        stop: Stop | None = None,
    ) -> None:
        super().__init__(request, attempts, settle, stop)
        self._open = open_call
        self._sleep = sleep

    def __next__(self) -> Event:
        while not self._ended:
            response = self._read()
            if response is not None and (event := self._receive(response)) is not None:
                return event
        self._raise_cancelled()
        self.close()
        raise StopIteration

    def close(self) -> None:
        self._leave()
        call, self._call = self._call, None
        if call is None:
            return
        if self._done is not None:
            with suppress(grpc.FutureTimeoutError, grpc.FutureCancelledError):
                call.exception(timeout=SETTLE_S)
        call.cancel()

    def _read(self) -> pb.StreamCompletionResponse | None:
        """The next message; None: there is none, either for good (the turn has ended) or on this try."""
        if self._call is None:
            self._call = self._open(self._next_request(), self._attempts.begin())
            if self._ended:  # cancelled, from another thread, before there was a call to cancel
                self._call.cancel()
        try:
            return next(self._call)
        except StopIteration:
            delay = self._finish()
        except grpc.RpcError as failure:
            if self._cancelled:
                return None
            delay = self._fail(failure)
        if delay is not None:
            self._call = None
            self._sleep(delay)
        return None
