"""Remember the sessions of this replica: `Registry`.

A session belongs to its tenant: the key is (tenant, session id), and nothing here looks across tenants.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping

from service.domain.errors import Reason, TurnError
from service.sessions.session import Session, SessionState
from service.telemetry.telemetry import OFF, Limit, Telemetry


class Registry:
    """Remember at most `max_sessions` a tenant, each for `ttl_s` seconds after its last use."""

    def __init__(self, max_sessions: int, ttl_s: float, telemetry: Telemetry = OFF) -> None:
        self._max_sessions = max_sessions
        self._ttl_s = ttl_s
        self._telemetry = telemetry
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
        session.touch(now, wall)
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
        session.release()
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
            if session.state is SessionState.FREE:
                session.release()
                del sessions[session.id]
                return session
        self._telemetry.refused(Limit.SESSIONS)
        name = "TRUNKLINE_MAX_SESSIONS" if most == self._max_sessions else "max_sessions"
        message = f"all {most} sessions of this tenant are busy ({name})"
        raise TurnError(Reason.OVERLOADED, message, retry_after=1.0)


def _older(sessions: OrderedDict[str, Session], limit: float) -> Iterator[Session]:
    """Yield the idle sessions last used before `limit`; `sessions` is in the order of use."""
    for session in sessions.values():
        if session.used_at > limit:
            return
        if session.state is SessionState.FREE:
            yield session
