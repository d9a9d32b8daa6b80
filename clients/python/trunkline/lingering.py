"""Turns that go on without their caller: which of a client's turns must be stopped, not only left.

A turn with `resume=True` outlives the connection of its call, so that the call can be made again. Whoever
leaves it therefore also tells the service, by CancelTurn: best effort, in the background, within `STOP_S`.
"""

import threading
from typing import Any
from weakref import WeakSet

import grpc

from trunkline.errors import TrunklineError

STOP_S = 2.0
"""The deadline of a CancelTurn that nobody asked for, and so how long closing a client may take."""


class Lingering:
    """The turns of one client that outlive their calls, and the calls that stop some of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: WeakSet[Any] = WeakSet()
        self._stops: set[Any] = set()

    def add(self, turn: Any) -> None:
        with self._lock:
            self._turns.add(turn)

    def note(self, stop: Any) -> None:
        """Keep a CancelTurn that is under way until it ends, however it does."""
        self._stops.add(stop)
        stop.add_done_callback(self._stops.discard)

    def cancel_all(self) -> tuple[Any, ...]:
        """Cancel the turns that still run. Returns the CancelTurn calls under way, to be waited for."""
        with self._lock:
            turns = list(self._turns)
        for turn in turns:
            turn.cancel()
        return tuple(self._stops)


def is_left(error: BaseException) -> bool:
    """Whether a call that ended so was left by its caller: interrupted, or out of time."""
    if not isinstance(error, TrunklineError):
        return True
    return error.status is grpc.StatusCode.DEADLINE_EXCEEDED and not error.reported
