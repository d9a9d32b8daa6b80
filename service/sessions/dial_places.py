"""Bound how many handshakes are in flight, and choose whose is next: `Dials`.

A place that becomes free goes to the tenant with the fewest handshakes in flight, so that a thousand dials of
one tenant delay another's by one handshake and not by a thousand. A tenant that is alone has all places.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

Tenant = str | None
"""None stands for spare connections, which no tenant has asked for."""


class Dials:
    """Hold the places and the queues for them, one for each tenant."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._running: Counter[Tenant] = Counter()
        self._waiting: dict[Tenant, deque[asyncio.Future[None]]] = {}

    def __repr__(self) -> str:
        waiting = sum(map(len, self._waiting.values()))
        return f"Dials({self._running.total()} running, {waiting} waiting)"

    async def enter(self, tenant: Tenant) -> None:
        """Take a place, waiting for one. Cancellation: no place is held."""
        if self._free:
            self._take(tenant)
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                self.leave(tenant)  # The place came at the moment of the cancellation.
            else:
                self._withdraw(tenant, place)
            raise

    def leave(self, tenant: Tenant) -> None:
        """Release a place: to the next waiter, or for a later dial."""
        self._running[tenant] -= 1
        if not self._running[tenant]:
            del self._running[tenant]
        self._free += 1
        while self._waiting:
            following = min(self._waiting, key=lambda waiting: self._running[waiting])
            place = self._waiting[following].popleft()
            if not self._waiting[following]:
                del self._waiting[following]
            if not place.done():
                self._take(following)
                place.set_result(None)
                return

    def _take(self, tenant: Tenant) -> None:
        self._free -= 1
        self._running[tenant] += 1

    def _withdraw(self, tenant: Tenant, place: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(tenant, deque())
        if place in waiting:
            waiting.remove(place)
            if not waiting:
                del self._waiting[tenant]
