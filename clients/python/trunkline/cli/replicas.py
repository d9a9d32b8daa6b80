"""Find the replicas behind one address, and read the sessions of each.

A replica lists its own sessions only, and a load balancer leads a call to one replica, by the session id in
its metadata. So calls with other ids meet other replicas, and each answer names its replica. It is like
collecting cards: how many there are is not known. With R found and one missing, n calls in a row miss it with
the chance (R / (R + 1))^n, which is below e^-PATIENCE where n is PATIENCE * (R + 1). With PATIENCE = 10 five
searches in 100,000 miss one; the last of ten replicas is followed by 110 calls, each for one session.
"""

import asyncio
import uuid
from collections.abc import Mapping

from trunkline.aio.client import AsyncClient
from trunkline.cli.table import Replica
from trunkline.errors import TrunklineError
from trunkline.sessions import Session, SessionPage

PAGE_SIZE = 1000
PATIENCE = 10
MAX_CALLS = 10_000
"""Of one search, whatever the answers name."""
AT_ONCE = 10
"""Calls of a search. Once all are found, each later look makes so many, for one that is new."""


class ReplicaFinder:
    """What one address leads to. The replicas that a look has found, the next one asks again."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._near: dict[str, str] = {}
        """By the name of a replica: a session id that leads to it."""
        self._complete = False
        """The last search came to its end, and all that it found is still there."""

    def __repr__(self) -> str:
        return f"<ReplicaFinder {self._client.settings.address} {sorted(self._near)}>"

    async def look(self) -> list[Replica]:
        """Return each replica with its sessions, by name; last an error, if there was one."""
        errors: list[TrunklineError] = []
        found = await self._read(self._near, errors)
        self._complete = self._complete and found.keys() == self._near.keys()
        self._near = {name: near for name, near in self._near.items() if name in found}
        if not errors:
            await self._search(errors)
        found |= await self._read({n: near for n, near in self._near.items() if n not in found}, errors)
        failed = [Replica(self._client.settings.address, error=error) for error in errors[:1]]
        return [found[name] for name in sorted(found)] + failed

    async def _search(self, errors: list[TrunklineError]) -> None:
        """Ask until no new replica has come for long enough, or a call fails."""
        missed = self._enough() - AT_ONCE if self._complete else 0
        for _ in range(MAX_CALLS // AT_ONCE):
            tried = [uuid.uuid4().hex for _ in range(AT_ONCE)]
            pages = await asyncio.gather(*(self._page(near, errors, page_size=1) for near in tried))
            names = {page.replica: near for near, page in zip(tried, pages, strict=True) if page}
            missed = missed + AT_ONCE if names.keys() <= self._near.keys() else 0
            self._near = names | self._near
            self._complete = not errors and missed >= self._enough()
            if errors or self._complete:
                return

    def _enough(self) -> int:
        return PATIENCE * (len(self._near) + 1)

    async def _read(self, near: Mapping[str, str], errors: list[TrunklineError]) -> dict[str, Replica]:
        found = await asyncio.gather(*(self._sessions(one, errors) for one in near.values()))
        return {replica.name: replica for replica in found if replica is not None}

    async def _sessions(self, near: str, errors: list[TrunklineError]) -> Replica | None:
        """Read all pages of one replica. None where a call failed."""
        sessions: list[Session] = []
        token = ""
        while page := await self._page(near, errors, page_size=PAGE_SIZE, page_token=token):
            sessions += page.sessions
            token = page.next_page_token
            if not token:
                return Replica(self._client.settings.address, page.replica, tuple(sessions))
        return None

    async def _page(
        self, near: str, errors: list[TrunklineError], *, page_size: int, page_token: str = ""
    ) -> SessionPage | None:
        try:
            return await self._client.list_sessions(page_size=page_size, page_token=page_token, near=near)
        except TrunklineError as error:
            errors.append(error)
            return None
