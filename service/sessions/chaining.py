"""Remember for each tenant what the upstream takes of chains: `Chaining`.

Some servers accept a response id and do not know it one second later; each such turn costs a failed request.
So a tenant whose chains are lost three times in a row sends everything for ten minutes, then tries again. A
loss counts only if the same turn then succeeded in full: a request that fails both ways says nothing about
chains.

Others compare the settings of a request with those of the response that it continues. Where a request whose
settings had changed was refused, and succeeded in full, such a change makes requests full for ten minutes.

Tenants are counted apart, because a tenant may lose chains by its own doing (a key, a hook, a proxy, options
that the upstream takes for another conversation).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from service.domain.plan import MINIMAL_BASIS, ContextReason
from service.domain.tenant import covers

MISSES = 3
PAUSE_S = 600.0
MAX_TENANTS = 1024
"""Tenants whose misses are remembered, and as many of whom something was learned; beyond that the one with
the oldest is forgotten.
"""


@dataclass(slots=True)
class _Misses:
    count: int = 0
    off_until: float = 0.0


class Chaining:
    """Turn chaining off for a tenant after `MISSES` lost chains in a row, for `PAUSE_S` seconds.

    A change of a setting of `basis` ends a chain, and for as long one of which that was learned.
    `off`: the operator wants none at all. `update_models`: names and prefixes (`gpt-6*`) of models that take
    a change of the effort as an item.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        basis: Set[ContextReason] = MINIMAL_BASIS,
        update_models: Sequence[str] = (),
        *,
        off: bool = False,
    ) -> None:
        self._clock = clock
        self._basis = basis
        self._update_models = update_models
        self._off = off
        self._updates_off: OrderedDict[str, float] = OrderedDict()
        self._misses: OrderedDict[str, _Misses] = OrderedDict()
        self._learned: OrderedDict[str, dict[ContextReason, float]] = OrderedDict()

    def __repr__(self) -> str:
        off = sum(not self.supported(tenant) for tenant in self._misses)
        return f"Chaining({off} of {len(self._misses)} tenants off)"

    def supported(self, tenant: str) -> bool:
        if self._off:
            return False
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

    def basis(self, tenant: str) -> Set[ContextReason]:
        """Return the settings whose change ends a chain."""
        learned = self._learned.get(tenant)
        if learned is None:
            return self._basis
        now = self._clock()
        return self._basis | {reason for reason, until in learned.items() if now < until}

    def takes_updates(self, tenant: str, model: str) -> bool:
        """Return whether a change of the effort may go as an item: the operator says for which models."""
        if not any(covers(allowed, model) for allowed in self._update_models):
            return False
        return self._clock() >= self._updates_off.get(tenant, 0.0)

    def refuse_updates(self, tenant: str) -> None:
        """Record that such an item was refused, and the turn succeeded in full without it."""
        self._updates_off[tenant] = self._clock() + PAUSE_S
        self._updates_off.move_to_end(tenant)
        if len(self._updates_off) > MAX_TENANTS:
            self._updates_off.popitem(last=False)

    def learn(self, tenant: str, changed: Iterable[ContextReason]) -> None:
        """Record that a chain was refused whose settings had changed so, and the turn succeeded in full."""
        learned = self._learned.setdefault(tenant, {})
        self._learned.move_to_end(tenant)
        learned |= dict.fromkeys(changed, self._clock() + PAUSE_S)
        if len(self._learned) > MAX_TENANTS:
            self._learned.popitem(last=False)
