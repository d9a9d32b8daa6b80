"""Hold what the turns of one upstream share: `Endpoint`."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from service.domain.plan import MINIMAL_BASIS, STRICT_BASIS
from service.domain.report import Peer
from service.sessions.chaining import Chaining
from service.sessions.circuit_breaker import Breaker
from service.sessions.pool import Pool
from service.sessions.pool_state import PoolState
from service.sessions.settings import EndpointSettings
from service.sessions.tokens import Tokens
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.upstream import Upstream


class Endpoint:
    """One upstream: its transport, its pool with the breaker, and what was learned of its chains.

    What one upstream knows or refuses says nothing of another, so two share none of it.
    """

    __slots__ = ("chaining", "peer", "pool", "settings", "tokens", "upstream")

    def __init__(
        self,
        settings: EndpointSettings,
        upstream: Upstream,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        random: Random,
        telemetry: Telemetry = OFF,
    ) -> None:
        self.settings = settings
        self.upstream = upstream
        self.peer = Peer.at(settings.name, settings.http_url)
        last = not settings.cooldown_given
        breaker = Breaker(settings.cooldown_s, refusals_last=last, clock=clock, random=random.random)
        state = PoolState(settings.max_connections)
        self.pool = Pool(upstream, state, breaker, clock, max_dials=settings.max_dials, telemetry=telemetry)
        basis = STRICT_BASIS if settings.chain_basis == "strict" else MINIMAL_BASIS
        self.chaining = Chaining(clock, basis, settings.effort_updates)
        self.tokens = Tokens(settings, wall)

    def __repr__(self) -> str:
        return f"Endpoint({self.settings.name or 'the only one'}, {self.pool!r})"

    @property
    def safe_only(self) -> bool:
        """Whether only what is proven not to have run is sent again."""
        return self.settings.replay == "safe-only"
