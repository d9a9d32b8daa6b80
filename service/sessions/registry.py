"""Remember the sessions of this replica: `Session` and `Registry`.

A session belongs to its tenant: the key is (tenant, session id), and nothing here looks across tenants.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from service.domain.errors import Reason, TurnError
from service.domain.history import History
from service.domain.report import LineState, SessionView, TurnReport
from service.telemetry import lines
from service.transport.connection import Line


class Session:
    """Hold one conversation: its history, its connection, and what runs in it now.

    `holder` is the turn or warm-up that runs in the session; another one that comes meanwhile is a fork.
    `line` is the session's own connection, idle or leased by the holder. `credential_digest` identifies the
    key that it was opened with; empty: the service's own key. `refused_bytes` is the size of a frame that the
    upstream found too big; 0: none. It says nothing about other conversations.

    `used_at` is of the monotonic clock and decides what expires; `created_at` and `last_used_at` are of the
    wall clock, which may step, and are only shown.
    """

    __slots__ = (
        "bytes_saved",
        "created_at",
        "credential_digest",
        "dialing",
        "history",
        "holder",
        "id",
        "incremental_turns",
        "last_used_at",
        "leased",
        "line",
        "refused_bytes",
        "released",
        "tenant",
        "turns",
        "used_at",
    )

    def __init__(self, tenant: str, session_id: str, now: float, wall: float) -> None:
        self.tenant = tenant
        self.id = session_id
        self.history = History()
        self.line: Line | None = None
        self.credential_digest = b""
        self.refused_bytes = 0
        self.leased = False
        self.dialing = False
        self.holder: object | None = None
        self.released = False
        self.turns = 0
        self.incremental_turns = 0
        self.bytes_saved = 0
        self.used_at = now
        self.created_at = wall
        self.last_used_at = wall

    def __repr__(self) -> str:
        return f"Session({self.id}, {self.line_state.value}, {self.turns} turns)"

    @property
    def line_state(self) -> LineState:
        if self.line is not None:
            return LineState.BUSY if self.leased else LineState.IDLE
        return LineState.DIALING if self.dialing else LineState.NONE

    def count(self, report: TurnReport) -> None:
        """Count a completed turn."""
        self.turns += 1
        self.incremental_turns += report.incremental
        self.bytes_saved += report.bytes_saved

    def view(self) -> SessionView:
        return SessionView(
            self.id,
            self.line_state,
            self.turns,
            self.incremental_turns,
            self.bytes_saved,
            self.created_at,
            self.last_used_at,
        )


class Registry:
    """Remember at most `max_sessions` a tenant, each for `ttl_s` seconds after its last use."""

    def __init__(self, max_sessions: int, ttl_s: float) -> None:
        self._max_sessions = max_sessions
        self._ttl_s = ttl_s
        self._tenants: dict[str, OrderedDict[str, Session]] = {}

    def __repr__(self) -> str:
        return f"Registry({len(self)} sessions of {len(self._tenants)} tenants)"

    def __len__(self) -> int:
        return sum(map(len, self._tenants.values()))

    def __iter__(self) -> Iterator[Session]:
        for sessions in self._tenants.values():
            yield from sessions.values()

    def open(
        self, tenant: str, session_id: str, now: float, wall: float, limit: int | None = None
    ) -> tuple[Session, Session | None]:
        """Return the session, made if it is new, and the session that was evicted for it, if any.

        The caller closes the evicted session's connection. `limit`: the tenant's own, if it is lower.
        Raises TurnError OVERLOADED when the tenant has as many sessions as it may, and all are busy.
        """
        sessions = self._tenants.setdefault(tenant, OrderedDict())
        session = sessions.get(session_id)
        if session is not None:
            self.touch(session, now, wall)
            return session, None
        evicted = self._make_room(sessions, limit)
        session = sessions[session_id] = Session(tenant, session_id, now, wall)
        return session, evicted

    def touch(self, session: Session, now: float, wall: float) -> None:
        """Record that the session was used: it becomes the last to be evicted."""
        session.used_at = now
        session.last_used_at = wall
        sessions = self._tenants.get(session.tenant)
        if sessions is not None and sessions.get(session.id) is session:
            sessions.move_to_end(session.id)

    def find(self, tenant: str, session_id: str) -> Session | None:
        sessions = self._tenants.get(tenant)
        return sessions.get(session_id) if sessions else None

    def page(self, tenant: str, after: str, limit: int) -> list[Session]:
        """Return the tenant's sessions after the id `after`, in the order of their ids."""
        sessions: Mapping[str, Session] = self._tenants.get(tenant, OrderedDict())
        names = sorted(name for name in sessions if name > after)
        return [sessions[name] for name in names[:limit]]

    def remove(self, session: Session) -> None:
        """Forget the session. A running turn continues, and its connection is closed with it."""
        session.released = True
        sessions = self._tenants.get(session.tenant)
        if sessions is not None and sessions.get(session.id) is session:
            del sessions[session.id]
            if not sessions:
                del self._tenants[session.tenant]

    def expire(self, now: float) -> list[Session]:
        """Forget the sessions that were not used for `ttl_s` seconds, and return them."""
        expired = []
        for sessions in list(self._tenants.values()):
            for session in list(_older(sessions, now - self._ttl_s)):
                self.remove(session)
                expired.append(session)
        return expired

    def _make_room(self, sessions: OrderedDict[str, Session], limit: int | None) -> Session | None:
        most = self._max_sessions if limit is None else min(limit, self._max_sessions)
        if len(sessions) < most:
            return None
        for session in sessions.values():
            if session.holder is None:
                session.released = True
                del sessions[session.id]
                return session
        lines.refused(lines.REFUSED_BY_SESSIONS)
        name = "TRUNKLINE_MAX_SESSIONS" if most == self._max_sessions else "max_sessions"
        message = f"all {most} sessions of this tenant are busy ({name})"
        raise TurnError(Reason.OVERLOADED, message, retry_after=1.0)


def _older(sessions: OrderedDict[str, Session], limit: float) -> Iterator[Session]:
    """Yield the idle sessions last used before `limit`; `sessions` is in the order of use."""
    for session in sessions.values():
        if session.used_at > limit:
            return
        if session.holder is None:
            yield session
