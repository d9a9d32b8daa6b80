"""Hold one conversation on this replica: `Session`.

A session is in one of four states; `begin`, `finish` and `release` are the only ways from one to another:

    FREE ──begin──────────▶ RUNNING ──finish──▶ FREE
    FREE ──begin(warm_up)─▶ WARMING ──finish──▶ FREE
    any  ──release────────▶ RELEASED             (what still runs in it ends undisturbed)

A turn that comes while another one runs is a fork: it gets nothing of the session but its id. A turn that
comes while a warm-up runs waits for it (`warmed`), because what that opens is for this turn.

Independent of the state, the session has at most one connection of its own, which the pool attaches and
detaches; `line_state` shows it. A connection that is gone takes its chain with it.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING

from service.domain.history import History
from service.domain.plan import ContextReason
from service.domain.report import LineState, SessionView, TurnReport
from service.domain.tenant import Credential
from service.transport.connection import Connection

if TYPE_CHECKING:
    from service.sessions.endpoint import Endpoint


class SessionState(Enum):
    FREE = "free"
    WARMING = "warming"
    RUNNING = "running"
    RELEASED = "released"


class Session:
    """Hold the history of one conversation, its connection, and what runs in it now.

    `used_at` is of the monotonic clock and decides what expires; the times of the view are of the wall clock,
    which may step, and are only shown.
    """

    __slots__ = (
        "_bytes_saved",
        "_created_at",
        "_credential_digest",
        "_endpoint",
        "_foreign",
        "_incremental_turns",
        "_last_used_at",
        "_line",
        "_line_state",
        "_refused_bytes",
        "_state",
        "_turns",
        "_used_at",
        "_warming",
        "history",
        "id",
        "tenant",
    )

    def __init__(self, tenant: str, session_id: str, now: float, wall: float) -> None:
        self.tenant = tenant
        self.id = session_id
        self.history = History()
        self._state = SessionState.FREE
        self._warming: asyncio.Future[None] | None = None
        self._line: Connection | None = None
        self._line_state = LineState.NONE
        self._credential_digest = b""
        self._endpoint: Endpoint | None = None
        self._foreign = False
        self._refused_bytes = 0
        self._turns = self._incremental_turns = self._bytes_saved = 0
        self._used_at = now
        self._created_at = self._last_used_at = wall

    def __repr__(self) -> str:
        return f"Session({self.id}, {self._state.value}, {self._line_state.value}, {self._turns} turns)"

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def busy(self) -> bool:
        """Whether a turn or a warm-up runs in the session."""
        return self._state in (SessionState.RUNNING, SessionState.WARMING)

    @property
    def line(self) -> Connection | None:
        """The session's own connection, idle or leased by what runs in it."""
        return self._line

    @property
    def leased(self) -> bool:
        return self._line_state is LineState.BUSY

    @property
    def line_state(self) -> LineState:
        return self._line_state

    @property
    def used_at(self) -> float:
        return self._used_at

    @property
    def refused_bytes(self) -> int:
        """The size of a frame of this conversation that the upstream found too big; 0: none."""
        return self._refused_bytes

    def view(self) -> SessionView:
        return SessionView(
            self.id,
            self._line_state,
            self._turns,
            self._incremental_turns,
            self._bytes_saved,
            self._created_at,
            self._last_used_at,
        )

    # What runs in it

    def begin(self, *, warm_up: bool = False) -> bool:
        """Begin a turn or a warm-up. Return False when another one runs, or the session was released."""
        if self._state is not SessionState.FREE:
            return False
        if warm_up:
            self._state = SessionState.WARMING
            self._warming = asyncio.get_running_loop().create_future()
        else:
            self._state = SessionState.RUNNING
        return True

    def finish(self) -> None:
        """End what was begun."""
        if self._state is not SessionState.RELEASED:
            self._state = SessionState.FREE
        if self._warming is not None:
            self._warming.set_result(None)
            self._warming = None

    async def warmed(self) -> None:
        """Wait until no warm-up runs."""
        if self._warming is not None:
            await asyncio.wait([self._warming])

    def release(self) -> None:
        """Mark the session as forgotten: its connection is closed after what runs over it now."""
        self._state = SessionState.RELEASED

    def touch(self, now: float, wall: float) -> None:
        """Record that the session was used."""
        self._used_at = now
        self._last_used_at = wall

    def count(self, report: TurnReport) -> None:
        """Count a completed turn, or a fork of one."""
        self._foreign = False
        self._turns += 1
        self._incremental_turns += report.incremental
        self._bytes_saved += report.bytes_saved

    # Its connection

    def dial(self) -> None:
        """A connection is being opened for the session."""
        self._line_state = LineState.DIALING

    def attach(self, line: Connection) -> None:
        """The connection is the session's own, and leased."""
        self._line = line
        self._line_state = LineState.BUSY

    def rest(self) -> None:
        """The lease has ended; the connection, if it is still there, is idle."""
        self._line_state = LineState.NONE if self._line is None else LineState.IDLE

    def detach(self, line: Connection) -> None:
        """Forget the connection, and the chain on it. Ignore one that is not the session's."""
        if self._line is line:
            self._line = None
            self._line_state = LineState.NONE
            self.history.line_closed(line.id)

    @property
    def endpoint(self) -> Endpoint | None:
        """The upstream with which the conversation was held last; its pool has the session's connection."""
        return self._endpoint

    def rebind(self, endpoint: Endpoint, credential_digest: bytes) -> Endpoint | None:
        """Bind the session to an upstream and a key (empty: the service's own).

        Returns the upstream before, whose pool closes the session's connection, if either is another one:
        what one upstream knows under one key is nothing elsewhere.
        """
        before = self._endpoint
        if endpoint is before and credential_digest == self._credential_digest:
            return None
        self._endpoint, self._credential_digest = endpoint, credential_digest
        if before is None or _same(endpoint, before):
            self.history.rebound(ContextReason.NEW_CONNECTION)
        else:
            self._foreign = self._foreign or self._turns > 0
            self.history.rebound(ContextReason.UPSTREAM_CHANGED)
        return before

    def foreign_to(self, endpoint: Endpoint) -> bool:
        """Return whether another upstream holds the conversation, and this one has answered no turn of it."""
        here = self._endpoint
        return self._foreign or (self._turns > 0 and here is not None and not _same(endpoint, here))

    def move(self, endpoint: Endpoint, key: Credential | None) -> None:
        """Bind the session to an upstream and a key, and close its connection if either is another one."""
        before = self.rebind(endpoint, key.digest if key is not None else b"")
        if before is not None:
            before.pool.release(self)

    def stays_at(self, endpoint: Endpoint) -> bool:
        """Return whether this upstream is the one that has the conversation, or a turn of it, now."""
        return endpoint is self._endpoint and (self.busy or self.history.chain is not None)

    def refuse(self, frame_bytes: int) -> None:
        """Remember that the upstream found a frame of this size too big; other sessions may fare better."""
        self._refused_bytes = frame_bytes


def _same(one: Endpoint, other: Endpoint) -> bool:
    """Return whether they are of one upstream, whose settings may have changed in between."""
    return one is other or one.peer.name == other.peer.name
