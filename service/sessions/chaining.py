"""Whether the upstream keeps what it was told, as each tenant has found: `Chaining`.

Some servers accept an id and have never heard of it one second later; asking them again each turn costs a
failed request each turn. So a tenant whose chains are lost three times in a row sends everything for ten
minutes, then tries again. A loss counts only if the same turn then succeeded in full: a request that fails
both ways says nothing of chains. Tenants are judged apart, because a tenant may lose chains by its own doing
(a key, a hook, a proxy, options that the upstream takes for another conversation).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MISSES = 3
PAUSE_S = 600.0
MAX_TENANTS = 1024
"""Tenants whose misses are remembered; beyond it the one that missed longest ago is forgotten."""


@dataclass(slots=True)
class _Lesson:
    misses: int = 0
    off_until: float = 0.0


class Chaining:
    """Off for a tenant after `MISSES` lost chains in a row with no held one between; tried again after
    `PAUSE_S`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lessons: OrderedDict[str, _Lesson] = OrderedDict()

    def __repr__(self) -> str:
        off = sum(not self.supported(tenant) for tenant in self._lessons)
        return f"Chaining({off} of {len(self._lessons)} tenants off)"

    def supported(self, tenant: str) -> bool:
        lesson = self._lessons.get(tenant)
        return lesson is None or self._clock() >= lesson.off_until

    def held(self, tenant: str) -> None:
        """A turn that built on a chain succeeded."""
        if self.supported(tenant):
            self._lessons.pop(tenant, None)

    def missed(self, tenant: str) -> None:
        """A chain was lost, and the turn then succeeded in full."""
        lesson = self._lessons.setdefault(tenant, _Lesson())
        self._lessons.move_to_end(tenant)
        lesson.misses += 1
        if lesson.misses >= MISSES:
            lesson.misses = 0
            lesson.off_until = self._clock() + PAUSE_S
        if len(self._lessons) > MAX_TENANTS:
            self._lessons.popitem(last=False)
