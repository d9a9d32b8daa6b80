"""Remember the turns that have a key, and let calls attach to them: `KeptTurns`.

A turn belongs to its tenant: the key is (tenant, session id, turn key), and nothing here looks across
tenants.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from service.domain.errors import Reason, TurnError, Violation
from service.domain.messages import CompletionRequest
from service.domain.tenant import Caller
from service.sessions.budget import Hold
from service.sessions.kept import KeptTurn
from service.sessions.kept_bytes import KeptBytes
from service.sessions.reader import Reader, check_position
from service.sessions.turn import Turn
from service.telemetry import logs, names
from service.telemetry.attributes import Attributes
from service.telemetry.calls import Call
from service.telemetry.telemetry import OFF, Telemetry

Begin = Callable[[Caller, CompletionRequest, Call | None], AbstractAsyncContextManager[Turn]]
Key = tuple[str, str]
"""The id of the session, and the key of the turn."""


class KeptTurns:
    """Keep turns that `begin` begins. Made and used in one event loop, and closed there."""

    def __init__(
        self, begin: Begin, room: KeptBytes, wall: Callable[[], float], telemetry: Telemetry = OFF
    ) -> None:
        self._telemetry = telemetry
        self._begin = begin
        self._room = room
        self._wall = wall
        self._tenants: dict[str, dict[Key, tuple[KeptTurn, bytes]]] = {}
        self._tasks = set[asyncio.Task[None]]()

    def __repr__(self) -> str:
        return f"KeptTurns({len(self)} turns of {len(self._tenants)} tenants, {self._room!r})"

    def __len__(self) -> int:
        return sum(map(len, self._tenants.values()))

    @property
    def kept_bytes(self) -> int:
        """What all turns keep, in bytes."""
        return self._room.bytes

    def has(self, tenant: str) -> bool:
        """Return whether the tenant has a turn that a call might attach to."""
        return tenant in self._tenants

    def of(self, tenant: str) -> Iterator[tuple[str, KeptTurn]]:
        """Yield the tenant's turns, each after the id of its session."""
        for (session_id, _), (kept, _) in self._tenants.get(tenant, {}).items():
            yield session_id, kept

    def find(self, tenant: str, session_id: str, turn_key: str) -> KeptTurn | None:
        kept, _ = self._tenants.get(tenant, {}).get((session_id, turn_key), (None, b""))
        return kept

    @asynccontextmanager
    async def read(
        self,
        caller: Caller,
        request: CompletionRequest,
        digest: bytes,
        hold: Hold,
        call: Call | None = None,
        *,
        streams: bool = True,
    ) -> AsyncGenerator[Reader, None]:
        """Read the turn that the request names, begun if there is none, for as long as the block lasts.

        `digest` is that of the request's content. `hold` is what the request's bytes are held by; a turn that
        begins goes on with it. `streams` False: the call wants the end of the turn only, from wherever.

        Raises TurnError on entry when the turn cannot be read, and later as `Reader` does.
        """
        kept = self._find(caller.tenant, request, digest)
        attached = kept is not None
        position = 0
        if kept is None:
            kept = self._start(caller, request, digest, hold, call)
        elif streams:
            position = request.after_sequence
            check_position(kept, position)
        else:
            position = kept.dropped
        options = request.options
        reader = Reader(
            kept, position, attached=attached, heartbeat_s=options.heartbeat_s if streams else None
        )
        if attached:
            logs.bind(session=request.session_id, request_id=request.request_id)
            self._telemetry.instruments.attached.add(1, {names.LABEL_STATE: kept.state.value})
        try:
            async with reader.reading(options.linger_s):
                yield reader
        finally:
            if call is not None and call.recording:
                call.annotate(_identity(caller, request, kept, attached=attached))

    async def close(self) -> None:
        """Forget all turns and stop those that run; return when they have stopped."""
        for turns in list(self._tenants.values()):
            for kept, _ in list(turns.values()):
                kept.forget()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _find(self, tenant: str, request: CompletionRequest, digest: bytes) -> KeptTurn | None:
        """Return the turn that has this key. Raises INVALID_REQUEST if it has other content."""
        found = self._tenants.get(tenant, {}).get((request.session_id, request.turn_key))
        if found is None:
            return None
        kept, content = found
        if content != digest:
            description = "names a turn of this session with other content; use a new key for a new turn"
            violation = Violation("turn_key", description)
            raise TurnError(Reason.INVALID_REQUEST, f"turn_key: {description}", violations=(violation,))
        return kept

    def _start(
        self, caller: Caller, request: CompletionRequest, digest: bytes, hold: Hold, call: Call | None
    ) -> KeptTurn:
        tenant, key = caller.tenant, (request.session_id, request.turn_key)
        if request.turn_key:
            self._room.check(tenant)
        kept = KeptTurn(
            tenant,
            self._room,
            key=request.turn_key,
            began=self._wall(),
            linger_s=request.options.linger_s,
            gone=partial(self._gone, tenant, key),
        )
        if request.turn_key:
            self._tenants.setdefault(tenant, {})[key] = kept, digest
        task = kept.start(self._begin(caller, request, call), hold)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return kept

    def _gone(self, tenant: str, key: Key) -> None:
        turns = self._tenants.get(tenant, {})
        turns.pop(key, None)
        if not turns:
            self._tenants.pop(tenant, None)


def _identity(caller: Caller, request: CompletionRequest, kept: KeptTurn, *, attached: bool) -> Attributes:
    """Return the attributes that say, on the span of a call, which turn it read."""
    return {
        names.CONVERSATION: request.session_id,
        names.TENANT: caller.tenant,
        names.TURN_ID: kept.turn_id,
        names.ATTACHED: attached,
    }
