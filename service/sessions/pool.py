"""The pool: lines to the upstream, leased one turn at a time.

Owns dialling, closing and waiting; decides nothing that the books and the breaker do not say. Must never know
what is sent over a line. Whoever leases gives back, by `Lease.end`, whatever happened.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from service.domain.errors import Reason, TurnError
from service.domain.report import TransportReason
from service.domain.tenant import Caller, Credential
from service.sessions.circuit_breaker import REFUSED_UPGRADES, Breaker
from service.sessions.dial_places import Dials
from service.sessions.lease import Lease, NoLineError
from service.sessions.pool_state import Books
from service.sessions.registry import Session
from service.telemetry import lines
from service.transport.connection import Line
from service.transport.upstream import Upstream

CLOSING_TIME_S = 3.0

SEVERAL = 2


class Pool:
    """`max_dials`: how many handshakes may be in flight, so that a thousand rotations are no storm."""

    def __init__(
        self,
        upstream: Upstream,
        books: Books,
        breaker: Breaker,
        clock: Callable[[], float],
        *,
        max_dials: int,
    ) -> None:
        self._upstream = upstream
        self._books = books
        self._breaker = breaker
        self._clock = clock
        self._dials = Dials(max_dials)
        self._waiters: deque[tuple[asyncio.Future[None], Caller]] = deque()
        # The line that was opened last, now and when a mute one was judged last.
        self._newest = self._judged = 0
        # Two are enough to know that there are several.
        self._tenants: set[str] = set()

    def __repr__(self) -> str:
        return f"Pool({self._books!r}, {self._breaker!r})"

    def counts(self) -> dict[str, int]:
        """Lines by state."""
        return {"idle": self._books.idle, "leased": self._books.leased, "dialing": self._books.dialing}

    async def lease(self, session: Session | None, caller: Caller, *, wait: bool) -> Lease:
        """A line for one turn of the caller's session (None: of a fork, whose line ends with it).

        A caller's own key is what the line is opened with; then no spare will do, and the session is bound to
        it.
        `wait`: if all lines are busy, wait for one, at most as long as for a connection. NoLineError: there
        is none. Cancelled: nothing is held.
        """
        deadline = self._clock() + self._upstream.waits.connect_s
        if session is not None and len(self._tenants) < SEVERAL:
            self._tenants.add(session.tenant)
        while True:
            decision = self._books.request(session, caller)
            self._close(decision.close)
            if decision.line is not None:
                return self._leased(decision.line, session, reused=True, connect_s=0.0)
            if decision.dial:
                return await self._dial(session, caller.tenant, caller.key)
            if not wait or not await self._place(caller, deadline):
                lines.refused(lines.REFUSED_BY_CONNECTIONS)
                raise self._full(caller, capped=decision.capped)

    def judge(self, line: Line, error: TurnError, session: Session) -> None:
        """An exchange failed over the line; if the line never said a word, that is news of the endpoint.

        Lines that were open together and fall together tell it once. What one tenant's requests do to lines
        opens the breaker for no other: where there are several, two of them must have met it; where there is
        one, two of its sessions. A line that a caller's own key opened tells nothing.
        """
        if line.spoke or not error.policy.counts_as_silent or line.id <= self._judged or line.by_callers_key:
            return
        self._judged = self._newest
        witness = session.tenant if len(self._tenants) == SEVERAL else session.id
        self._breaker.mute(error, witness)

    def take_back(self, lease: Lease, clean: bool) -> None:
        """A lease ends: its line is idle, or closed. What waits for a place is told."""
        line, session = lease.line, lease.session
        if session is not None:
            session.leased = False
        if clean and line.spoke:
            self._breaker.spoke()  # whichever line it was: the endpoint does talk
        if not line.open or not clean:
            self._drop(line, session)
            line.discard()
        elif session is None or session.released:
            self._drop(line, session)
            line.close()
        else:
            self._books.release(line, session)
            line.rest()
        self._wake()

    def release(self, session: Session) -> None:
        """The session is forgotten: closes its line, unless a turn runs over it, at whose end it goes."""
        if session.line is not None and not session.leased:
            line = session.line
            self._books.forget(line)
            line.close()
            self._wake()

    async def dial_spare(self, wanted: int) -> bool:
        """Opens one spare line, if fewer than `wanted` stand ready and the upstream can be reached."""
        if not self._books.reserve_spare(wanted):
            return False
        lease = await self._dial(None, None, None)
        self._books.release(lease.line, None)
        lease.line.rest()
        self._wake()
        return True

    def retire(self) -> None:
        """Closes the idle lines that no turn will run over again."""
        self._close(tuple(self._books.worn()))

    async def close(self) -> None:
        """Closes every line, and returns when the sockets are gone."""
        lines = self._books.lines()
        for line in lines:
            line.close(going_away=True)
        if lines:
            await asyncio.wait(
                [asyncio.ensure_future(line.closed()) for line in lines], timeout=CLOSING_TIME_S
            )

    def _leased(self, line: Line, session: Session | None, *, reused: bool, connect_s: float) -> Lease:
        if session is not None:
            session.line = line
            session.leased = True
        return Lease(line, session, reused, connect_s, self)

    def _full(self, caller: Caller, *, capped: bool) -> NoLineError:
        """All lines that the caller may have are busy."""
        why = "all lines are busy (TRUNKLINE_MAX_CONNECTIONS)"
        if capped:
            most = self._books.cap(caller)
            name = "TRUNKLINE_MAX_CONNECTIONS" if caller.max_connections is None else "max_connections"
            why = f"all {most} lines that tenant {caller.tenant!r} may hold are busy ({name})"
        return NoLineError(TurnError(Reason.OVERLOADED, why, retry_after=1.0), TransportReason.POOL_FULL)

    async def _dial(self, session: Session | None, tenant: str | None, key: Credential | None) -> Lease:
        """Dials in a place that is reserved already."""
        line: Line | None = None
        started = self._clock()
        if session is not None:
            session.dialing = True
        try:
            async with self._handshake(tenant):
                self._check_breaker()  # last, so that what waited behind a failed dial does not repeat it
                line = await self._try_dial(key)
            self._newest = line.id
            line.by_callers_key = key is not None
            line.on_close = self._lost
            line.on_first_word = self._breaker.spoke
        finally:
            if session is not None:
                session.dialing = False
            self._books.dialed(line, tenant)
            if line is None:
                self._wake()
        return self._leased(line, session, reused=False, connect_s=self._clock() - started)

    @asynccontextmanager
    async def _handshake(self, tenant: str | None) -> AsyncGenerator[None, None]:
        """One of the handshakes in flight. Waiting for it says nothing of the upstream's health."""
        try:
            async with asyncio.timeout(self._upstream.waits.connect_s):
                await self._dials.enter(tenant)
        except TimeoutError as exc:
            error = TurnError(
                Reason.OVERLOADED, "too many lines are being opened (TRUNKLINE_MAX_DIALS)", retry_after=1.0
            )
            raise NoLineError(error, TransportReason.POOL_FULL) from exc
        try:
            yield
        finally:
            self._dials.leave(tenant)

    def _check_breaker(self) -> None:
        pause = self._breaker.admit()
        if pause:
            message = f"the upstream's WebSocket failed lately; it is left alone for {pause:.0f} s more"
            raise NoLineError(
                TurnError(Reason.CONNECT_FAILED, message, retry_after=pause), TransportReason.COOLDOWN
            )

    async def _try_dial(self, key: Credential | None) -> Line:
        try:
            line = await self._upstream.dial(key)
        except TurnError as error:
            if error.reason is Reason.OVERLOADED:  # this machine's shortage is no verdict on the upstream
                self._breaker.abandoned()
                raise NoLineError(error, TransportReason.CONNECT_FAILED) from error
            if error.reason is not Reason.CONNECT_FAILED:
                self._breaker.abandoned()
                raise
            status = error.upstream.status if error.upstream is not None else 0
            refused = status in REFUSED_UPGRADES
            if key is not None:
                self._breaker.abandoned()  # it may be this key's fault: the others' lines are not to suffer
            else:
                self._breaker.failed(error)
            why = TransportReason.UPGRADE_REFUSED if refused else TransportReason.CONNECT_FAILED
            raise NoLineError(error, why) from error
        except BaseException:
            self._breaker.abandoned()
            raise
        self._breaker.succeeded()
        return line

    def _lost(self, line: Line) -> None:
        """The socket is gone, whoever closed it."""
        self._books.forget(line)
        self._wake()

    def _drop(self, line: Line, session: Session | None) -> None:
        self._books.forget(line)
        if session is not None and session.line is line:
            session.line = None
            session.history.line_closed(line.id)

    def _close(self, lines: tuple[Line, ...]) -> None:
        for line in lines:
            line.close()

    async def _place(self, caller: Caller, deadline: float) -> bool:
        """Waits until a place may be free; False: not in time."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (waiter, caller)
        self._waiters.append(entry)
        came = False
        try:
            async with asyncio.timeout(max(deadline - self._clock(), 0.0)):
                await waiter
                came = True
        except TimeoutError:
            pass
        finally:
            if entry in self._waiters:
                self._waiters.remove(entry)
            elif not came:
                self._wake()  # The place came in the same moment as the end of the waiting: it is another's.
        return came

    def _wake(self) -> None:
        """A place may be free: for the tenant with the fewest lines of those that wait and can take it."""
        able = [entry for entry in self._waiters if not entry[0].done() and self._books.obtainable(entry[1])]
        if able:
            entry = min(able, key=lambda entry: self._books.held(entry[1].tenant))
            self._waiters.remove(entry)
            entry[0].set_result(None)
