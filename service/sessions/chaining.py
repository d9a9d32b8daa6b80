"""Remember for each tenant whether the upstream keeps responses that a chain can build on: `Chaining`.

Some servers accept a response id and do not know it one second later; each such turn costs a failed request.
So a tenant whose chains are lost three times in a row sends everything for ten minutes, then tries again. A
loss counts only if the same turn then succeeded in full: a request that fails both ways says nothing about
chains. Tenants are counted apart, because a tenant may lose chains by its own doing (a key, a hook, a proxy,
options that the upstream takes for another conversation).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MISSES = 3
PAUSE_S = 600.0
MAX_TENANTS = 1024
"""Tenants whose misses are remembered; beyond that the one with the oldest miss is forgotten."""


@dataclass(slots=True)
class _Misses:
    count: int = 0
    off_until: float = 0.0


class Chaining:
    """Turn chaining off for a tenant after `MISSES` lost chains in a row, for `PAUSE_S` seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._misses: OrderedDict[str, _Misses] = OrderedDict()

    def __repr__(self) -> str:
        off = sum(not self.supported(tenant) for tenant in self._misses)
        return f"Chaining({off} of {len(self._misses)} tenants off)"

    def supported(self, tenant: str) -> bool:
        misses = self._misses.get(tenant)
        return misses is None or self._clock() >= misses.off_until

    def held(self, tenant: str) -> None:
        """Record that a turn that built on a chain succeeded."""
        if self.supported(tenant):
            self._misses.pop(tenant, None)

    def missed(self, tenant: str) -> None:
        """Record that a chain was lost and the turn then succeeded in full."""
        misses = self._misses.setdefault(tenant, _Misses())
        self._misses.move_to_end(tenant)
        misses.count += 1
        if misses.count >= MISSES:
            misses.count = 0
            misses.off_until = self._clock() + PAUSE_S
        if len(self._misses) > MAX_TENANTS:
            self._misses.popitem(last=False)
