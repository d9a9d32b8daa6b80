"""A turn that plays steps, kept and read."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from service.domain.messages import CompletionRequest, Options
from service.domain.tenant import Caller
from service.sessions.budget import Budget, Hold
from service.sessions.kept_bytes import KeptBytes
from service.sessions.kept_turns import KeptTurns
from tests.integration.rpc.fakes import FakeTurn

CALLER = Caller("one")


class Keeping:
    """Turns that play `steps`. `refused` is raised in the place of a turn."""

    def __init__(self, *steps: Any, most: int = 1_000_000, per_turn: int = 100_000) -> None:
        self.steps = steps
        self.refused: Exception | None = None
        self.at_exit: Exception | None = None
        self.dispatched = True
        self.begun: list[FakeTurn] = []
        self.room = KeptBytes(most, per_turn)
        self.budget = Budget(1_000_000, 1_000_000)
        self.kept = KeptTurns(self.begin, self.room, lambda: 1.0)

    @asynccontextmanager
    async def begin(self, caller, request, call=None):
        if self.refused is not None:
            raise self.refused
        turn = FakeTurn(self.steps, self.dispatched)
        self.begun.append(turn)
        yield turn
        if self.at_exit is not None:
            raise self.at_exit

    def hold(self) -> Hold:
        return self.budget.hold(CALLER, 0)

    def read(self, key="k", *, after=0, linger_s=60.0, heartbeat_s=None, digest=b"", **more):
        options = Options(linger_s=linger_s, heartbeat_s=heartbeat_s)
        request = CompletionRequest("s", "m", (), turn_key=key, after_sequence=after, options=options)
        caller = more.pop("caller", CALLER)
        return self.kept.read(caller, request, digest, more.pop("hold", None) or self.hold(), **more)

    async def events(self, *args, **given):
        """Read the turn to its end."""
        async with self.read(*args, **given) as reader:
            return [event async for batch in reader.batches() for event in batch]

    @property
    def turn(self):
        """The only turn that is kept."""
        ((turn, _),) = (kept for keys in self.kept._tenants.values() for kept in keys.values())
        return turn

    async def waits(self):
        """Wait until a turn waits for room."""
        async with asyncio.timeout(10):
            while not self.room._waiting:  # noqa: ASYNC110  nothing announces it
                await asyncio.sleep(0)

    async def ended(self):
        """Wait until the only turn has ended."""
        await self.turn.stopped()
