"""Bound how many turns run at once, `Admission` for the replica and `TenantLimits` for each tenant, and how
much a tenant uses.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller
from service.sessions.rate_limits import RateLimits, Used
from service.telemetry.telemetry import OFF, Limit, Telemetry

RETRY_AFTER_S = 1.0


class Admission:
    """Hold places for `max_turns` turns and a queue of `queue_size`; refuse the rest at once."""

    def __init__(self, max_turns: int, queue_size: int, telemetry: Telemetry = OFF) -> None:
        self._max_turns = max_turns
        self._queue_size = queue_size
        self._telemetry = telemetry
        self._queue: deque[asyncio.Future[None]] = deque()
        self.running = 0

    def __repr__(self) -> str:
        return f"Admission({self.running}/{self._max_turns} running, {len(self._queue)} waiting)"

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def check(self) -> None:
        """Raise TurnError OVERLOADED when there is neither a place nor room in the queue."""
        if self.running >= self._max_turns and len(self._queue) >= self._queue_size:
            self._telemetry.refused(Limit.TURNS)
            message = f"{self._max_turns} turns are running (TRUNKLINE_MAX_TURNS), and the queue is full"
            raise TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_S)

    async def enter(self) -> AbstractContextManager[None]:
        """Take a place, in the queue's order. Return a context manager that leaves it.

        Raises TurnError OVERLOADED when there is neither a place nor room in the queue. Cancellation: no
        place is held; one that came at the same moment goes to the next in the queue.
        """
        self.check()
        if self.running < self._max_turns:
            self.running += 1
            return self._place()
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place in self._queue:
                self._queue.remove(place)
            elif not place.cancelled() and place.exception() is None:
                self.leave()  # The place came at the moment of the cancellation.
            raise
        return self._place()

    def dismiss(self, why: Callable[[], TurnError]) -> None:
        """Fail everyone in the queue with the error that `why` returns."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_exception(why())

    def leave(self) -> None:
        """Release a place: to the first in the queue, or for a later turn."""
        while self._queue:
            place = self._queue.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.running -= 1

    @contextmanager
    def _place(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.leave()


class TenantLimits:
    """Count each tenant's turns, including those in the queue, so that none fills it for the others.

    What takes the place of a turn is a request of its tenant, too, and uses tokens.
    """

    def __init__(self, clock: Callable[[], float], telemetry: Telemetry = OFF) -> None:
        self._telemetry = telemetry
        self._rates = RateLimits(clock, telemetry)
        self._turns: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"TenantLimits({self._turns.total()} turns of {len(self._turns)} tenants)"

    def check(self, caller: Caller) -> None:
        """Raise TurnError OVERLOADED when the tenant has as many turns as it may, or RATE_LIMITED when it has
        used what it may.
        """
        self._check_turns(caller)
        self._rates.check(caller)

    def left(self) -> dict[tuple[str, str], float]:
        """Return what is left to the tenants of their requests and tokens, by tenant and limit."""
        return self._rates.left()

    def _check_turns(self, caller: Caller) -> None:
        if caller.max_turns is not None and self._turns[caller.tenant] >= caller.max_turns:
            self._telemetry.refused(Limit.TENANT)
            message = f"tenant {caller.tenant!r} has {caller.max_turns} turns already, its limit (max_turns)"
            raise TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_S)

    @contextmanager
    def take(self, caller: Caller, used: Used) -> Iterator[None]:
        """Count a turn of the tenant for as long as the block lasts, and in the end what it has used.

        One of which the error says that nothing was sent is no request. Raises TurnError as `check` does.
        """
        self._check_turns(caller)
        self._rates.take(caller)
        self._turns[caller.tenant] += 1
        try:
            yield
        except TurnError as error:
            if error.policy.implies_nothing_sent:
                self._rates.put_back(caller)
            raise
        finally:
            self._rates.spend(caller, used)
            self._turns[caller.tenant] -= 1
            if not self._turns[caller.tenant]:
                del self._turns[caller.tenant]
