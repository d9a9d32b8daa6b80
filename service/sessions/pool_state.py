"""Record which connection is whose, which is idle, and how many there may be: `PoolState`.

Every method changes the state at once, awaits nothing, and returns what must be done: the pool does it.
Leased + idle + being dialled never exceed the limit.

A full pool is shared fairly. The fair share is the limit divided by the tenants that hold connections or ask
for one now, so a tenant that is alone may have all of them. A tenant that asks at or above the fair share
first makes room among its own idle connections; one below it gets the place of an idle connection of the
tenant that holds the most. No connection is taken from a tenant below its fair share for another tenant, nor
for one that holds as many itself. Example: of 300 connections, one tenant holds 295 and another 5, all idle.
The fair share is 150. However many the first one asks for, they replace its own; each new one of the second
replaces one of the first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from service.domain.tenant import Caller
from service.sessions.session import Session
from service.transport.connection import Connection

KEPT_FROM_ONE = 4
"""One of several tenants gets at most three quarters of the connections, so that another's first turn finds a
place while all of the first tenant's are in use.
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """Answer a request for a connection: this `line`, now leased; or a place to `dial` one; or neither.

    Without either none is available now; `capped`: because the tenant holds as many as it may. `close` are
    the connections that were removed on the way.
    """

    line: Connection | None = None
    dial: bool = False
    close: tuple[Connection, ...] = ()
    capped: bool = False


@dataclass(slots=True)
class _Holdings:
    """Count what one tenant holds: `lines` leased, idle or being dialled; `idle` of them, the least recently
    used first.
    """

    lines: int = 0
    idle: dict[Connection, None] = field(default_factory=dict)


class PoolState:
    """Hold the connections of the pool, by state and by tenant."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: OrderedDict[Connection, Session | None] = OrderedDict()
        # The spares again, so that they are found among thousands of idle ones without a search.
        self._spare: dict[Connection, None] = {}
        self._leased: dict[Connection, str | None] = {}
        self._holdings: dict[str, _Holdings] = {}
        self.dialing = 0

    def __repr__(self) -> str:
        counts = f"{len(self._leased)} leased, {len(self._idle)} idle, {self.dialing} dialing"
        return f"PoolState({counts}, limit {self._limit})"

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def leased(self) -> int:
        return len(self._leased)

    @property
    def spares(self) -> int:
        return len(self._spare)

    @property
    def full(self) -> bool:
        return len(self._leased) + len(self._idle) + self.dialing >= self._limit

    def held(self, tenant: str) -> int:
        """Return how many connections the tenant has, including those being dialled for it."""
        holdings = self._holdings.get(tenant)
        return holdings.lines if holdings is not None else 0

    def cap(self, caller: Caller) -> int:
        """Return how many connections the tenant may hold."""
        if caller.max_connections is not None:
            return min(caller.max_connections, self._limit)
        return self._limit - (self._limit // KEPT_FROM_ONE if caller.has_peers else 0)

    def fair(self, tenant: str) -> int:
        """Return the share of each tenant that holds connections, with this one among them."""
        return max(self._limit // len({*self._holdings, tenant}), 1)

    def request(self, session: Session | None, caller: Caller) -> Decision:
        """Decide on a connection for the session (None: for a fork, which has none of its own).

        In this order:

        1. The session's own idle connection, if it is healthy.
        2. If the tenant holds as many as it may: the place of its least recently used idle one, or nothing.
        3. A spare one, unless the caller brings a key.
        4. A place for a new one.
        5. The place of an idle one, by fair shares.
        6. Nothing.
        """
        close: list[Connection] = []
        own = session.line if session is not None else None
        if own is not None and own in self._idle:
            if own.healthy:
                return Decision(line=self._lease(own, caller.tenant))
            self._drop_idle(own)
            close.append(own)
        if self._capped(caller):
            oldest = self._oldest(self._holdings[caller.tenant])
            if oldest is None:
                return Decision(close=tuple(close), capped=True)
            self._drop_idle(oldest)
            close.append(oldest)
        for line in list(self._spare) if caller.key is None else ():
            if line.healthy:
                return Decision(line=self._lease(line, caller.tenant), close=tuple(close))
            self._drop_idle(line)
            close.append(line)
        if self.full and (victim := self._victim(caller.tenant)) is not None:
            self._drop_idle(victim)
            close.append(victim)
        if self.full:
            return Decision(close=tuple(close))
        self.dialing += 1
        self._count(caller.tenant, 1)
        return Decision(dial=True, close=tuple(close))

    def obtainable(self, caller: Caller) -> bool:
        """Return whether a request of the caller's would now get a connection, or a place for one."""
        if self._capped(caller):
            return bool(self._holdings[caller.tenant].idle)
        return not self.full or self._victim(caller.tenant) is not None

    def reserve_spare(self, wanted: int) -> bool:
        """Reserve a place for a spare, if there are fewer than `wanted` and a place is free."""
        if self.spares + self.dialing >= wanted or self.full:
            return False
        self.dialing += 1
        return True

    def dialed(self, line: Connection | None, tenant: str | None) -> None:
        """Record the end of a dial for the tenant (None: a spare); a `line` that it opened is leased now."""
        self.dialing -= 1
        if line is not None:
            self._leased[line] = tenant
        else:
            self._count(tenant, -1)

    def release(self, line: Connection, owner: Session | None) -> None:
        """Make a leased connection idle, as the owner's own (None: as a spare)."""
        tenant = self._leased.pop(line)
        self._idle[line] = owner
        if owner is None:
            self._count(tenant, -1)
            self._spare[line] = None
        else:
            self._holdings[owner.tenant].idle[line] = None

    def forget(self, line: Connection) -> Session | None:
        """Remove a connection that is closed. Return the session whose idle connection it was, if any."""
        if line in self._leased:
            self._count(self._leased.pop(line), -1)
        return self._drop_idle(line) if line in self._idle else None

    def take_expired(self) -> list[Connection]:
        """Remove and return the idle connections that are too old to be used again."""
        lines = [line for line in self._idle if line.expired]
        for line in lines:
            self._drop_idle(line)
        return lines

    def take_idle(self) -> list[Connection]:
        """Remove and return all idle connections."""
        lines = list(self._idle)
        for line in lines:
            self._drop_idle(line)
        return lines

    def lines(self) -> list[Connection]:
        return [*self._leased, *self._idle]

    def _capped(self, caller: Caller) -> bool:
        return self.held(caller.tenant) >= self.cap(caller) < self._limit

    def _victim(self, tenant: str) -> Connection | None:
        """Return the idle connection whose place the tenant gets in a full pool, if any."""
        if self._spare:
            return next(iter(self._spare))
        own, fair = self._holdings.get(tenant) or _Holdings(), self.fair(tenant)
        if own.lines >= fair and own.idle:
            return self._oldest(own)
        least = max(fair, own.lines + 1)
        richer = [
            holdings for holdings in self._holdings.values() if holdings.idle and holdings.lines >= least
        ]
        return self._oldest(max(richer, key=lambda holdings: holdings.lines, default=own))

    def _oldest(self, holdings: _Holdings) -> Connection | None:
        return next(iter(holdings.idle), None)

    def _count(self, tenant: str | None, change: int) -> None:
        if tenant is None:
            return
        holdings = self._holdings.setdefault(tenant, _Holdings())
        holdings.lines += change
        if not holdings.lines:
            del self._holdings[tenant]

    def _lease(self, line: Connection, tenant: str) -> Connection:
        owner = self._idle.pop(line)
        if owner is None:
            del self._spare[line]
            self._count(tenant, 1)
        else:
            del self._holdings[owner.tenant].idle[line]
        self._leased[line] = tenant
        return line

    def _drop_idle(self, line: Connection) -> Session | None:
        owner = self._idle.pop(line)
        if owner is None:
            del self._spare[line]
            return None
        del self._holdings[owner.tenant].idle[line]
        self._count(owner.tenant, -1)
        owner.detach(line)
        return owner
