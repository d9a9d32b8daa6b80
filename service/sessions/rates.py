"""Limit how often each tenant may do what costs it nothing: `Rate`.

A token bucket for each tenant, stored as one time: when its next use would be due if all uses were evenly
spaced (the generic cell rate algorithm). A use may come up to a whole burst before that; an earlier one
waits. Example: 32 a second with a burst of 64. Of 400 uses at once 64 go now and the others at 32 a second;
those that would wait longer than they may are refused, with the time after which to come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from service.domain.errors import Reason, TurnError
from service.telemetry.telemetry import OFF, Limit, Telemetry

MAX_TENANTS = 1024
"""Above so many tenants those whose bucket is full again are forgotten."""


class Rate:
    """Keep the buckets. `clock` is monotonic, in seconds; `what` names the uses and the setting in errors."""

    def __init__(
        self,
        burst: int,
        per_second: float,
        clock: Callable[[], float],
        *,
        what: str,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._space_s = 1 / per_second
        self._ahead_s = (burst - 1) * self._space_s
        self._clock = clock
        self._what = what
        self._telemetry = telemetry
        self._due: dict[str, float] = {}
        self._waiting: set[asyncio.Future[None]] = set()

    def __repr__(self) -> str:
        return f"Rate({1 / self._space_s:g} a second, {len(self._due)} tenants)"

    async def wait(self, tenant: str, most_s: float) -> None:
        """Wait until the tenant may go on.

        Raises TurnError OVERLOADED when that would take longer than `most_s` seconds; the use then does not
        count. Raises what `dismiss` says. Cancellation: the use counts.
        """
        pause = self._reserve(tenant, most_s)
        if pause <= 0:
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            await asyncio.wait([waiting], timeout=pause)
        finally:
            self._waiting.remove(waiting)
        if waiting.done():
            waiting.result()

    def dismiss(self, why: Callable[[], TurnError]) -> None:
        """Fail everyone who waits with the error that `why` returns."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(why())

    def _reserve(self, tenant: str, most_s: float) -> float:
        now = self._clock()
        due = max(self._due.get(tenant, now), now)
        pause = due - self._ahead_s - now
        if pause > most_s:
            self._telemetry.refused(Limit.RATE)
            raise TurnError(Reason.OVERLOADED, f"too many {self._what}", retry_after=pause)
        self._due[tenant] = due + self._space_s
        if len(self._due) > MAX_TENANTS:
            self._due = {name: due for name, due in self._due.items() if due > now}
        return pause
