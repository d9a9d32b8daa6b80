"""Show a tenant its sessions and their turns, and stop a turn that it names: `TurnFinder`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from service.domain.errors import Reason, TurnError
from service.domain.report import SessionView, TurnView
from service.sessions.kept import KeptTurn
from service.sessions.kept_turns import KeptTurns
from service.sessions.registry import Registry
from service.sessions.running import Running
from service.sessions.turn import Turn

MAX_VIEWS = 100
"""The turns of one session that are shown, the oldest ones."""


class TurnFinder:
    """Find sessions, the turns that run, and those that are kept. Another tenant's are unknown."""

    def __init__(self, registry: Registry, running: Running, kept: KeptTurns) -> None:
        self._registry = registry
        self._running = running
        self._kept = kept

    def session(self, tenant: str, session_id: str) -> SessionView:
        """Return the session. Raises TurnError SESSION_NOT_FOUND."""
        session = self._registry.find(tenant, session_id)
        if session is None:
            raise TurnError(Reason.SESSION_NOT_FOUND, f"this replica knows no session {session_id!r}")
        return replace(session.view(), running_turns=self.views(tenant).get(session_id, ()))

    def sessions(self, tenant: str, after: str, limit: int) -> list[SessionView]:
        """Return the tenant's sessions after the id `after`, in the order of their ids."""
        turns = self.views(tenant)
        page = self._registry.page(tenant, after, limit)
        return [replace(session.view(), running_turns=turns.get(session.id, ())) for session in page]

    def views(self, tenant: str) -> dict[str, tuple[TurnView, ...]]:
        """Return the tenant's turns by the id of their session, the oldest first."""
        found = defaultdict[str, list[TurnView]](list)
        for session_id, kept in self._kept.of(tenant):
            found[session_id].append(kept.view())
        for turn in self._running_of(tenant):
            if not (view := turn.view()).turn_key:  # those with a key are kept, too
                found[turn.session.id].append(view)
        return {
            session_id: tuple(sorted(views, key=lambda view: view.started_at)[:MAX_VIEWS])
            for session_id, views in found.items()
        }

    async def cancel(self, tenant: str, session_id: str, *, turn_id: str = "", turn_key: str = "") -> None:
        """Stop the turn, and return when the upstream's answer is cut off. One that is kept is forgotten.

        Raises TurnError TURN_NOT_FOUND.
        """
        kept = self._kept_turn(tenant, session_id, turn_id, turn_key)
        if kept is not None:
            kept.forget()
            await kept.stopped()
            return
        for turn in self._running_of(tenant):
            if turn_id and (turn.session.id, turn.view().turn_id) == (session_id, turn_id):
                turn.interrupt(Reason.CANCELLED)
                await self._running.left(turn)
                return
        raise TurnError(Reason.TURN_NOT_FOUND, "this replica has no such turn; it may have ended")

    def _kept_turn(self, tenant: str, session_id: str, turn_id: str, turn_key: str) -> KeptTurn | None:
        if turn_key:
            return self._kept.find(tenant, session_id, turn_key)
        named = (kept for session, kept in self._kept.of(tenant) if session == session_id)
        return next((kept for kept in named if kept.turn_id == turn_id), None)

    def _running_of(self, tenant: str) -> Iterator[Turn]:
        turns = (turn for turn in self._running if isinstance(turn, Turn) and not turn.warms_up)
        return (turn for turn in turns if turn.session.tenant == tenant)
