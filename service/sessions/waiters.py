"""Hold the turns that wait for a connection while all are busy: `Waiters`."""

from __future__ import annotations

import asyncio
from collections import deque

from service.domain.tenant import Caller
from service.sessions.pool_state import PoolState


class Waiters:
    """Wake one turn for each place that becomes free: of the tenant with the fewest connections first."""

    def __init__(self, state: PoolState) -> None:
        self._state = state
        self._waiting: deque[tuple[asyncio.Future[None], Caller]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    async def place(self, caller: Caller, within_s: float) -> bool:
        """Wait until a place may be free for the caller. Return False when that takes longer.

        Cancellation: a place that came at the same moment goes to the next.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (waiter, caller)
        self._waiting.append(entry)
        came = False
        try:
            async with asyncio.timeout(max(within_s, 0.0)):
                await waiter
                came = True
        except TimeoutError:
            pass
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif not came:
                self.wake()  # The place came as the wait ended: pass it on.
        return came

    def wake(self) -> None:
        """Wake the waiter of the tenant with the fewest connections, of those for which a place is free."""
        able = [entry for entry in self._waiting if not entry[0].done() and self._state.obtainable(entry[1])]
        if able:
            entry = min(able, key=lambda entry: self._state.held(entry[1].tenant))
            self._waiting.remove(entry)
            entry[0].set_result(None)
