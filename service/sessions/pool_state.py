"""The books of the pool: which line is whose, which is idle, how many there may be.

Every method changes the books at once, awaits nothing, and returns what must be done. Leased + idle + being
dialled never exceed the limit. Sockets are nothing to them.

A pool that is full is shared fairly. The fair share is the limit divided by the tenants that hold lines or
ask for one now, so a tenant that is alone may have all of them. Whoever asks at or above the fair share makes
room among their own idle lines first; whoever is below it gets the place of an idle line of the tenant that
holds the most. No line is taken from a tenant below its fair share for another tenant, nor for one that holds
as many lines itself. Example: of 300 lines, one tenant holds 295 and another 5, all idle. The fair share is
150. However many lines the first one asks for, they replace its own; each new one of the second replaces one
of the first.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from service.domain.tenant import Caller
from service.sessions.registry import Session
from service.transport.connection import Line

KEPT_FROM_ONE = 4
"""Of several tenants none holds the last quarter of the lines, so another's first turn finds a place while
all lines of the first one are in use.
"""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a request for a line comes to: this `line`, leased; or a place to `dial` one; or neither: none is
    available now, and if `capped`, because the tenant holds as many as it may.

    `close` are the lines that went out of the books on the way.
    """

    line: Line | None = None
    dial: bool = False
    close: tuple[Line, ...] = ()
    capped: bool = False


@dataclass(slots=True)
class _Holdings:
    """What one tenant holds: `lines` leased, idle or being dialled, and those that are `idle`, the one used
    longest ago first.
    """

    lines: int = 0
    idle: dict[Line, None] = field(default_factory=dict)


class PoolState:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: OrderedDict[Line, Session | None] = OrderedDict()
        # Among thousands that are idle the spares must be found without looking at the others.
        self._spare: dict[Line, None] = {}
        self._leased: dict[Line, str | None] = {}
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
        """How many lines the tenant has, those included that are being dialled for it."""
        share = self._holdings.get(tenant)
        return share.lines if share is not None else 0

    def cap(self, caller: Caller) -> int:
        """How many lines the tenant may hold at most."""
        if caller.max_connections is not None:
            return min(caller.max_connections, self._limit)
        return self._limit - (self._limit // KEPT_FROM_ONE if caller.has_peers else 0)

    def fair(self, tenant: str) -> int:
        """The share of each tenant that holds lines, if this one does, too."""
        return max(self._limit // len({*self._holdings, tenant}), 1)

    def request(self, session: Session | None, caller: Caller) -> Decision:
        """A line for the session; None: for a fork, which has none of its own.

        1. The session's own idle line, if it is fit.
        2. A tenant that holds as many as it may: the place of its idle line used longest ago, or nothing.
        3. A spare one, unless the caller brings a key.
        4. A place for a new one.
        5. The place of an idle line, by fair shares.
        6. Nothing.
        """
        close: list[Line] = []
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
        """A request of the caller's would come to a line now, or to a place for one."""
        if self._capped(caller):
            return bool(self._holdings[caller.tenant].idle)
        return not self.full or self._victim(caller.tenant) is not None

    def reserve_spare(self, wanted: int) -> bool:
        """A place to dial a spare in, if fewer than `wanted` stand ready; never at the cost of another
        line.
        """
        if self.spares + self.dialing >= wanted or self.full:
            return False
        self.dialing += 1
        return True

    def dialed(self, line: Line | None, tenant: str | None) -> None:
        """A dial for the tenant (None: of a spare) ended: with a line, which is leased now, or without."""
        self.dialing -= 1
        if line is not None:
            self._leased[line] = tenant
        else:
            self._count(tenant, -1)

    def release(self, line: Line, owner: Session | None) -> None:
        """A leased line is idle now, the owner's own (None: a spare)."""
        tenant = self._leased.pop(line)
        self._idle[line] = owner
        if owner is None:
            self._count(tenant, -1)
            self._spare[line] = None
        else:
            self._holdings[owner.tenant].idle[line] = None

    def forget(self, line: Line) -> Session | None:
        """A line is gone, or must go. Returns the session whose idle line it was."""
        if line in self._leased:
            self._count(self._leased.pop(line), -1)
        return self._drop_idle(line) if line in self._idle else None

    def take_expired(self) -> list[Line]:
        """Takes out the idle lines that will never be used again."""
        lines = [line for line in self._idle if line.expired]
        for line in lines:
            self._drop_idle(line)
        return lines

    def lines(self) -> list[Line]:
        return [*self._leased, *self._idle]

    def _capped(self, caller: Caller) -> bool:
        return self.held(caller.tenant) >= self.cap(caller) < self._limit

    def _victim(self, tenant: str) -> Line | None:
        """The idle line whose place the tenant gets in a full pool."""
        if self._spare:
            return next(iter(self._spare))
        own, fair = self._holdings.get(tenant) or _Holdings(), self.fair(tenant)
        if own.lines >= fair and own.idle:
            return self._oldest(own)
        least = max(fair, own.lines + 1)
        richer = [share for share in self._holdings.values() if share.idle and share.lines >= least]
        return self._oldest(max(richer, key=lambda share: share.lines, default=own))

    def _oldest(self, share: _Holdings) -> Line | None:
        return next(iter(share.idle), None)

    def _count(self, tenant: str | None, change: int) -> None:
        if tenant is None:
            return
        share = self._holdings.setdefault(tenant, _Holdings())
        share.lines += change
        if not share.lines:
            del self._holdings[tenant]

    def _lease(self, line: Line, tenant: str) -> Line:
        owner = self._idle.pop(line)
        if owner is None:
            del self._spare[line]
            self._count(tenant, 1)
        else:
            del self._holdings[owner.tenant].idle[line]
        self._leased[line] = tenant
        return line

    def _drop_idle(self, line: Line) -> Session | None:
        owner = self._idle.pop(line)
        if owner is None:
            del self._spare[line]
            return None
        del self._holdings[owner.tenant].idle[line]
        self._count(owner.tenant, -1)
        if owner.line is line:
            owner.line = None
            owner.history.line_closed(line.id)
        return owner
