"""Hold what the turns of one upstream share: `Endpoint`."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from random import Random

from service.domain.errors import Reason, TurnError
from service.domain.messages import Transport
from service.domain.plan import MINIMAL_BASIS, STRICT_BASIS
from service.domain.report import Peer
from service.sessions.chaining import Chaining
from service.sessions.circuit_breaker import Breaker
from service.sessions.model_breakers import ModelBreakers
from service.sessions.pool import Pool
from service.sessions.pool_state import PoolState
from service.sessions.settings import EndpointSettings
from service.sessions.tokens import Tokens
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.upstream import Upstream


class Endpoint:
    """One upstream: its transport, its pool with the breaker, what was learned of its chains, and whether it
    can be asked at all.

    The pool's breaker is about its WebSockets only: without them there is SSE. `models` is about single
    models that fail over them.

    What one upstream knows or refuses says nothing of another, so two share none of it.
    """

    __slots__ = (
        "_doubted",
        "_health",
        "chaining",
        "models",
        "peer",
        "pool",
        "settings",
        "tokens",
        "upstream",
    )

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
        self.peer = Peer.at(settings.name, settings.http_url, Transport(settings.transport))
        last = not settings.cooldown_given
        breaker = partial(Breaker, settings.cooldown_s, refusals_last=last, clock=clock, random=random.random)
        state = PoolState(settings.max_connections)
        self.pool = Pool(upstream, state, breaker(), clock, max_dials=settings.max_dials, telemetry=telemetry)
        basis = STRICT_BASIS if settings.chain_basis == "strict" else MINIMAL_BASIS
        self.chaining = Chaining(clock, basis, settings.effort_updates, off=settings.chaining == "off")
        self.tokens = Tokens(settings, wall)
        self._health = breaker(refusals_last=False)
        self.models = ModelBreakers(breaker, lambda: self.pool.several_models)
        self._doubted = False

    def __repr__(self) -> str:
        return f"Endpoint({self.settings.name or 'the only one'}, {self.pool!r})"

    @property
    def available(self) -> bool:
        """Whether a turn may try it. Where it failed lately, turns that have another upstream go there."""
        return self._health.ready

    def begin(self) -> None:
        """A turn that may go elsewhere goes here. Its end is reported by one of the following."""
        if self._doubted:
            self._health.admit()

    def answered(self) -> None:
        """A turn has got its answer, or what the caller is to blame for."""
        if self._doubted:
            self._doubted = False
            self._health.received()
            self._health.succeeded()

    def left(self, model: str) -> None:
        """A turn with this model has ended; if it was to find something out, the next one may."""
        if self._doubted:
            self._health.abandoned()
        if self.models:
            self.models.left(model)

    def failed(self, error: TurnError, source: Hashable) -> None:
        """A turn failed for which another upstream is asked. `source`: whose turn it was.

        An upstream that cannot be reached, or refuses requests as such (a limit, the key), is left alone at
        once. One that answered that it failed, or was silent, may have failed at that request, so two
        different sources in a row must have met it.
        """
        self._doubted = True
        policy = error.policy
        if policy.replay is not None:
            self._health.silent(error, source)
        elif error.reason is Reason.RATE_LIMITED and error.retry_after:
            self._health.rest(error.retry_after)
        else:
            self._health.failed(error)

    @property
    def safe_only(self) -> bool:
        """Whether only what is proven not to have run is sent again."""
        return self.settings.replay == "safe-only"
