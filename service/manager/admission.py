"""How many turns run at once: `Admission`.

Owns the places and the queue for them. Must never know what a turn does. A waiter that leaves gives its place
on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from service.domain.errors import Reason, TurnError
from service.telemetry import lines

RETRY_AFTER_S = 1.0


class Admission:
    """Places for `max_turns` turns, and a queue of `queue_size` behind them; over that: refused at once."""

    def __init__(self, max_turns: int, queue_size: int) -> None:
        self._max_turns = max_turns
        self._queue_size = queue_size
        self._queue: deque[asyncio.Future[None]] = deque()
        self.running = 0

    def __repr__(self) -> str:
        return f"Admission({self.running}/{self._max_turns} running, {len(self._queue)} waiting)"

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def enter(self) -> None:
        """Takes a place, waiting for one if a queue is configured. TurnError OVERLOADED: no place and no room
        to wait.

        Cancelled: no place is held.
        """
        if self.running < self._max_turns:
            self.running += 1
            return
        if len(self._queue) >= self._queue_size:
            lines.refused(lines.REFUSED_BY_TURNS)
            message = f"{self._max_turns} turns are running (TRUNKLINE_MAX_TURNS), and the queue is full"
            raise TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_S)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place in self._queue:
                self._queue.remove(place)
            elif not place.cancelled() and place.exception() is None:
                self.leave()  # The place came in the same moment as the cancellation.
            raise

    def dismiss(self, why: Callable[[], TurnError]) -> None:
        """Whoever waits is told now."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_exception(why())

    def leave(self) -> None:
        """Gives a place back: to the first who waits, who then holds it, or to nobody."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.running -= 1
