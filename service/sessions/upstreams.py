"""Hold the upstreams, and choose which of them may serve a turn: `Upstreams`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random

from service.domain.errors import Reason, TurnError, Violation
from service.domain.messages import CompletionRequest, Transport
from service.domain.report import Peer, UpstreamReason
from service.domain.routes import Routes
from service.domain.tenant import Caller
from service.domain.turn_record import TurnRecord
from service.reload import Watched
from service.sessions.endpoint import Endpoint
from service.sessions.running import Interruptible
from service.sessions.session import Session
from service.sessions.settings import EndpointSettings, Layout
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.pace import Pace
from service.transport.settings import UpstreamSettings
from service.transport.upstream import PayloadHook, PreparedRequest, Upstream

RETIRED_S = 60.0
"""How long an upstream that left the file stays usable at least: for turns that have chosen it already, and
wait for a place or a warm-up.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """An upstream that may serve a turn. `model`: what it is asked for; empty: what the caller names.

    `why`: it is the first choice for this reason; None: it is the only one there is.
    """

    endpoint: Endpoint
    model: str = ""
    why: UpstreamReason | None = None

    def asked(self, request: CompletionRequest) -> CompletionRequest:
        """Return the request as this upstream gets it."""
        return replace(request, model=self.model) if self.model else request

    async def prepare(self, request: CompletionRequest, tenant: str) -> PreparedRequest:
        """Convert the tenant's request for this upstream. Raises TurnError if that is not possible."""
        return await self.endpoint.upstream.prepare(self.asked(request), tenant)


class Upstreams:
    """Hold an endpoint for each upstream of the layout that `read` returns, and follow its file.

    `path`: the upstreams file; empty: there is none, and one upstream serves everything. `hook`: the
    operator's, which sees each request. `wall`: the wall clock.

    Raises SettingsError if the file, or one that it names, cannot be used.
    """

    def __init__(
        self,
        read: Callable[[], Layout],
        path: str = "",
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        hook: PayloadHook | None = None,
        random: Random | None = None,
        pace: Pace | None = None,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._read = read
        self._clock = clock
        self._wall = wall
        self._hook = hook
        self._random = random or Random()
        self._pace = pace
        self._telemetry = telemetry
        self._retired: dict[Endpoint, float] = {}
        self._endpoints: dict[tuple[EndpointSettings, UpstreamSettings], Endpoint] = {}
        self._watched = Watched("TRUNKLINE_UPSTREAMS_FILE", [path], self._built) if path else None
        self._routes, self._endpoints = self._watched.current() if self._watched else self._built()
        self._only = None if path else (Choice(next(iter(self))),)

    def __repr__(self) -> str:
        return f"Upstreams({', '.join(map(repr, self))})"

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints.values())

    def choices(
        self,
        caller: Caller,
        model: str,
        session: Session | None = None,
        token: str = "",
        wish: Transport = Transport.AUTO,
    ) -> tuple[Choice, ...]:
        """Return which upstreams may serve a turn of the caller, the first choice first; at least one.

        They come in the order of the route, but for two things: the one that has the conversation of the
        `session`, or of the continuation `token`, comes first; those that failed lately come last.

        Raises TurnError INVALID_REQUEST when nobody serves the model over a transport that the turn may take.
        """
        if self._only is not None:
            if not self._only[0].endpoint.peer.allows(wish):
                raise _not_allowed(wish)
            return self._only
        self._follow()
        by_name = {endpoint.settings.name: endpoint for endpoint in self}
        stops = self._routes.order(caller.tenant, model)
        choices = [Choice(by_name[stop.upstream], stop.model) for stop in stops]
        # A caller's key is a secret: it goes to those only that the operator says may have it.
        able = tuple(choice for choice in choices if choice.endpoint.upstream.takes(caller.key))
        if able and not (able := tuple(choice for choice in able if choice.endpoint.peer.allows(wish))):
            raise _not_allowed(wish)
        if able:
            return self._ordered(able, caller, session, token)
        if choices and caller.key is None:
            choices[0].endpoint.upstream.check_key(None)
        raise _not_served(model, caller)

    def choose(
        self, caller: Caller, record: TurnRecord, session: Session | None, model: str = ""
    ) -> tuple[Choice, ...]:
        """Return the `choices` for a turn, and note the first in its record. `model`: if there is none."""
        request = record.request
        wish = request.options.transport
        choices = self.choices(caller, model or request.model, session, request.continuation, wish)
        record.sent_to(choices[0].endpoint.peer, choices[0].why)
        return choices

    def _ordered(
        self, able: tuple[Choice, ...], caller: Caller, session: Session | None, token: str
    ) -> tuple[Choice, ...]:
        ready = [choice for choice in able if choice.endpoint.available] or list(able)
        first, why = ready[0], UpstreamReason.PREFERRED
        if len(able) > 1:
            first = _home(ready, caller, session, token) or first
        if first is not able[0]:
            why = UpstreamReason.COOLDOWN if first is ready[0] else UpstreamReason.SESSION
        others = (choice for choice in (*ready, *able) if choice is not first)
        return replace(first, why=why), *dict.fromkeys(others)

    @property
    def pace(self) -> Pace:
        return next(iter(self)).upstream.pace

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of connections by the name of their upstream and by their state."""
        total: Counter[tuple[str, str]] = Counter()
        for endpoint in (*self, *self._retired):
            for state, number in endpoint.pool.counts().items():
                total[endpoint.settings.name, state] += number
        return dict(total)

    async def tidy(self, running: Iterable[Interruptible]) -> None:
        """Close the idle connections that are too old, dial the spares that are missing, and close upstreams
        that are in the file no more, once none of the `running` turns uses them.
        """
        self._follow()
        await self._close_retired({turn.endpoint for turn in running})
        for endpoint in list(self):
            endpoint.pool.close_expired()
            spares = 0 if endpoint.peer.transport is Transport.SSE else endpoint.settings.warm_spares
            with suppress(TurnError):  # Recorded by the breaker; spares are dialled again when it allows.
                while await endpoint.pool.dial_spare(spares):
                    pass

    async def close(self) -> None:
        """Close all connections, including those of running turns."""
        for endpoint in (*self, *self._retired):
            await endpoint.pool.close()
            await endpoint.upstream.close()

    def _follow(self) -> None:
        """Take what the file says now. Turns that run at an upstream that is gone or changed end there."""
        if self._watched is None:
            return
        before = self._endpoints
        self._routes, self._endpoints = self._watched.current()
        if self._endpoints is not before:
            for both, endpoint in before.items():
                if both not in self._endpoints:
                    endpoint.pool.retire()
                    self._retired[endpoint] = self._clock()

    async def _close_retired(self, used: Set[Endpoint | None]) -> None:
        for endpoint, since in list(self._retired.items()):
            if endpoint not in used and self._clock() - since >= RETIRED_S:
                del self._retired[endpoint]
                await endpoint.pool.close()
                await endpoint.upstream.close()

    def _built(self) -> tuple[Routes, dict[tuple[EndpointSettings, UpstreamSettings], Endpoint]]:
        layout = self._read()
        return layout.routes, {
            both: self._endpoints.get(both) or self._made(*both) for both in layout.endpoints
        }

    def _made(self, settings: EndpointSettings, transport: UpstreamSettings) -> Endpoint:
        telemetry = replace(self._telemetry, upstream=Peer.at(settings.name, settings.http_url))
        upstream = Upstream(transport, self._hook, self._random, self._pace, telemetry)
        return Endpoint(
            settings, upstream, clock=self._clock, wall=self._wall, random=self._random, telemetry=telemetry
        )


def _home(ready: Iterable[Choice], caller: Caller, session: Session | None, token: str) -> Choice | None:
    """Return the upstream that has the conversation: as the session knows, or else as the token says."""
    for choice in ready if session is not None else ():
        if session is not None and session.stays_at(choice.endpoint):
            return choice
    for choice in ready if token else ():
        if choice.endpoint.tokens.open(token, caller.tenant, caller.key) is not None:
            return choice
    return None


def _not_allowed(wish: Transport) -> TurnError:
    what = f"may not be {wish.name}: the operator allows only the other one for this model; use AUTO"
    violation = Violation("options.transport", what)
    return TurnError(Reason.INVALID_REQUEST, f"options.transport: {what}", violations=(violation,))


def _not_served(model: str, caller: Caller) -> TurnError:
    why = f"no upstream serves the model {model[:128]!r} for tenant {caller.tenant!r}"
    if caller.key is not None:
        why += " with a key of the caller's own"
    description = f"{why}; name another, or ask the operator for a route to it"
    return TurnError(Reason.INVALID_REQUEST, description, violations=(Violation("model", description),))
