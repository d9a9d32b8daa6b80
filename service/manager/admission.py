"""How many turns run at once: `Admission`.

Owns the places and the queue for them. Must never know what a turn does. A waiter that leaves gives its place
on.
"""

from __future__ import annotations

import asyncio
from collections import deque

from service.domain.errors import Reason, TurnError

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

    async def enter(self) -> None:
        """Takes a place, waiting for one if a queue is configured. TurnError OVERLOADED: no place and no room
        to wait.

        Cancelled: no place is held.
        """
        if self.running < self._max_turns:
            self.running += 1
            return
        if len(self._queue) >= self._queue_size:
            message = f"{self._max_turns} turns are running (TRUNKLINE_MAX_TURNS), and the queue is full"
            raise TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_S)
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave()  # The place came in the same moment as the cancellation.
            else:
                self._queue.remove(place)
            raise

    def leave(self) -> None:
        """Gives a place back: to the first who waits, who then holds it, or to nobody."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.running -= 1
