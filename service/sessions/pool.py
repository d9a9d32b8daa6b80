"""Lease connections to the upstream, one turn at a time: `Pool`.

The pool dials, closes and waits; `PoolState` decides which connection a turn gets, and the circuit breaker
whether to dial at all. Every lease is a context manager, and ends however
its turn ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service.domain.errors import Reason, TurnError
from service.domain.report import TransportReason
from service.domain.tenant import Caller, Credential
from service.sessions.circuit_breaker import REFUSED_UPGRADES, Breaker
from service.sessions.dial_places import Dials
from service.sessions.lease import Lease, NoConnectionError
from service.sessions.pool_state import PoolState
from service.sessions.session import Session, SessionState
from service.sessions.waiters import Waiters
from service.telemetry.telemetry import OFF, Limit, Telemetry
from service.transport.connection import Connection
from service.transport.upstream import Upstream

if TYPE_CHECKING:
    from service.telemetry.turn_publisher import TurnTrace

CLOSING_TIME_S = 3.0

SEVERAL = 2


class Pool:
    """Hold the connections of the replica.

    `max_dials` bounds the handshakes in flight: a thousand rotations at once must not flood the upstream.
    """

    def __init__(
        self,
        upstream: Upstream,
        state: PoolState,
        breaker: Breaker,
        clock: Callable[[], float],
        *,
        max_dials: int,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._telemetry = telemetry
        self._upstream = upstream
        self._state = state
        self._breaker = breaker
        self._clock = clock
        self._dials = Dials(max_dials)
        self._waiters = Waiters(state)
        # The connection that was opened last, now and when a silent one was last counted.
        self._newest = self._judged_up_to = 0
        # At most SEVERAL of each are remembered: the pool only has to know whether there is more than one.
        self._tenants: set[str] = set()
        self._models: set[str] = set()
        self._retired = False

    def __repr__(self) -> str:
        return f"Pool({self._state!r}, {self._breaker!r})"

    def counts(self) -> dict[str, int]:
        """Return the number of connections by state."""
        return {"idle": self._state.idle, "leased": self._state.leased, "dialing": self._state.dialing}

    async def lease(
        self, session: Session | None, caller: Caller, *, wait: bool, trace: TurnTrace | None = None
    ) -> Lease:
        """Lease a connection for one turn of the caller's session (None: of a fork, whose connection ends
        with it).

        A caller's own key is what the connection is opened with; then no spare will do, and the session is
        bound to that key. `wait`: if all connections are busy, wait for one, at most as long as for a
        handshake.

        Raises NoConnectionError where none is available. Cancellation: nothing is held.
        """
        deadline = self._clock() + self._upstream.waits.connect_s
        if session is not None and len(self._tenants) < SEVERAL:
            self._tenants.add(session.tenant)
        while True:
            decision = self._state.request(session, caller)
            self._close(decision.close)
            if decision.line is not None:
                return self._leased(decision.line, session, reused=True)
            if decision.dial:
                return await self._dial(session, caller.tenant, caller.key, trace)
            if not wait or not await self._waiters.place(caller, deadline - self._clock()):
                self._telemetry.refused(Limit.CONNECTIONS)
                raise self._full(caller, capped=decision.capped)

    @property
    def several_models(self) -> bool:
        """Whether turns with more than one model went over connections."""
        return len(self._models) == SEVERAL

    def note_model(self, model: str) -> None:
        """A turn with this model goes over a connection."""
        if len(self._models) < SEVERAL:
            self._models.add(model)

    def record_failure(self, line: Connection, error: TurnError, session: Session, model: str) -> None:
        """Count a failed exchange against the endpoint, if its connection never received anything.

        Connections that were open together and fail together count once. One tenant's requests must not open
        the breaker for the others: where there are several tenants, two of them must have met the failure;
        where there is one, two of its sessions. So it is with models: where there are several, two of them
        must have met it. A connection opened with a caller's own key does not count.
        """
        if line.received_any or line.by_callers_key or not error.policy.counts_as_silent:
            return
        if line.id <= self._judged_up_to:
            return
        self._judged_up_to = self._newest
        source: list[Hashable] = [session.tenant if len(self._tenants) == SEVERAL else session.id]
        if self.several_models:
            source.append((model,))  # a tuple, which is no tenant
        self._breaker.silent(error, *source)

    def end_lease(self, lease: Lease, clean: bool) -> None:
        """End a lease: its connection becomes idle or is closed, and the next waiter is woken."""
        line, session = lease.line, lease.session
        if session is not None:
            session.rest()
        if clean and line.received_any:
            self._breaker.received()  # whichever connection it was: the endpoint does answer
        if not line.open or not clean:
            self._drop(line, session)
            line.discard()
        elif session is None or session.state is SessionState.RELEASED or self._retired:
            self._drop(line, session)
            line.close()
        else:
            self._state.release(line, session)
            line.rest()
        self._waiters.wake()

    def release(self, session: Session) -> None:
        """Close the connection of a session that was removed; one that carries a turn is closed after it."""
        if session.line is not None and not session.leased:
            line = session.line
            self._state.forget(line)
            line.close()
            self._waiters.wake()

    async def dial_spare(self, wanted: int) -> bool:
        """Open one spare connection if fewer than `wanted` are idle. Return False when none is wanted.

        Raises TurnError where the upstream cannot be reached.
        """
        if not self._state.reserve_spare(wanted):
            return False
        lease = await self._dial(None, None, None)
        self._state.release(lease.line, None)
        lease.line.rest()
        self._waiters.wake()
        return True

    def retire(self) -> None:
        """Close the idle connections, and from now on each one whose lease ends: no new turn comes."""
        self._retired = True
        self._close(tuple(self._state.take_idle()))

    def close_expired(self) -> None:
        """Close the idle connections that are too old for another turn."""
        self._close(tuple(self._state.take_expired()))

    async def close(self) -> None:
        """Close every connection; return when the sockets are closed, or after `CLOSING_TIME_S`."""
        lines = self._state.lines()
        for line in lines:
            line.close(going_away=True)
        if lines:
            await asyncio.wait(
                [asyncio.ensure_future(line.closed()) for line in lines], timeout=CLOSING_TIME_S
            )

    def _leased(
        self, line: Connection, session: Session | None, *, reused: bool, connect_s: float = 0.0
    ) -> Lease:
        if session is not None:
            session.attach(line)
        return Lease(self, line, session, reused=reused, connect_s=connect_s)

    def _full(self, caller: Caller, *, capped: bool) -> NoConnectionError:
        """Return the error for a caller whose connections are all busy."""
        why = "all lines are busy (TRUNKLINE_MAX_CONNECTIONS)"
        if capped:
            most = self._state.cap(caller)
            name = "TRUNKLINE_MAX_CONNECTIONS" if caller.max_connections is None else "max_connections"
            why = f"all {most} lines that tenant {caller.tenant!r} may hold are busy ({name})"
        error = TurnError(Reason.OVERLOADED, why, retry_after=1.0)
        return NoConnectionError(error, TransportReason.POOL_FULL)

    async def _dial(
        self,
        session: Session | None,
        tenant: str | None,
        key: Credential | None,
        trace: TurnTrace | None = None,
    ) -> Lease:
        """Dial in a place that is already reserved."""
        line: Connection | None = None
        started = self._clock()
        if session is not None:
            session.dial()
        try:
            async with self._handshake(tenant):
                self._check_breaker()  # after waiting, so that a dial that failed meanwhile is not repeated
                line = await self._try_dial(key, trace)
            self._newest = line.id
            line.by_callers_key = key is not None
            line.on_close = self._lost
            line.on_first_message = self._breaker.received
        finally:
            if session is not None:
                session.rest()
            self._state.dialed(line, tenant)
            if line is None:
                self._waiters.wake()
        return self._leased(line, session, reused=False, connect_s=self._clock() - started)

    @asynccontextmanager
    async def _handshake(self, tenant: str | None) -> AsyncGenerator[None, None]:
        """Hold one of the places for handshakes. A wait for one says nothing about the upstream's health."""
        try:
            async with asyncio.timeout(self._upstream.waits.connect_s):
                await self._dials.enter(tenant)
        except TimeoutError as exc:
            error = TurnError(
                Reason.OVERLOADED, "too many lines are being opened (TRUNKLINE_MAX_DIALS)", retry_after=1.0
            )
            raise NoConnectionError(error, TransportReason.POOL_FULL) from exc
        try:
            yield
        finally:
            self._dials.leave(tenant)

    def _check_breaker(self) -> None:
        pause = self._breaker.admit()
        if pause:
            message = f"the upstream's WebSocket failed lately; it is left alone for {pause:.0f} s more"
            raise NoConnectionError(
                TurnError(Reason.CONNECT_FAILED, message, retry_after=pause), TransportReason.COOLDOWN
            )

    async def _try_dial(self, key: Credential | None, trace: TurnTrace | None) -> Connection:
        try:
            line = await self._upstream.dial(key, trace)
        except TurnError as error:
            if error.reason is Reason.OVERLOADED:  # a shortage of this machine, not a failure of the upstream
                self._breaker.abandoned()
                raise NoConnectionError(error, TransportReason.CONNECT_FAILED) from error
            if error.reason is not Reason.CONNECT_FAILED:
                self._breaker.abandoned()
                raise
            status = error.upstream.status if error.upstream is not None else 0
            refused = status in REFUSED_UPGRADES
            if key is not None:
                self._breaker.abandoned()  # it may be the key's fault, so it must not affect other callers
            else:
                self._breaker.failed(error)
            why = TransportReason.UPGRADE_REFUSED if refused else TransportReason.CONNECT_FAILED
            raise NoConnectionError(error, why) from error
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return line

    def _lost(self, line: Connection) -> None:
        """Forget a connection whose socket was closed, by either side."""
        self._state.forget(line)
        self._waiters.wake()

    def _drop(self, line: Connection, session: Session | None) -> None:
        self._state.forget(line)
        if session is not None:
            session.detach(line)

    def _close(self, lines: tuple[Connection, ...]) -> None:
        for line in lines:
            line.close()
