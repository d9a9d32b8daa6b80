"""Callers who keep a conversation each, call through one door, and note what became of every turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from trunkline import AsyncClient, Done, TrunklineError
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.messages import user
from trunkline.reports import Report

MODEL = "simulated-1"
SLOW = "sim:slow(n=10, delay_ms=50)"
"""A turn of about half a second: many of them run at any moment."""


@dataclass
class Caller:
    client: AsyncClient
    session: str
    messages: list[Message] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    errors: list[TrunklineError] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return len(self.reports) + len(self.errors)

    @property
    def full(self) -> int:
        """How many turns had to send everything."""
        return sum(not report.incremental for report in self.reports)

    async def say(self, text: str) -> None:
        """One turn. If it fails, nothing is added to the conversation: the caller may say it again."""
        said = [*self.messages, user(text)]
        done = None
        try:
            async for event in self.client.stream(session_id=self.session, model=MODEL, messages=said):
                done = event if isinstance(event, Done) else None
        except TrunklineError as error:
            self.errors.append(error)
            return
        assert done is not None
        self.messages = [*said, done.message]
        self.reports.append(done.report)

    async def keep_talking(self, stop: asyncio.Event, text: str = SLOW) -> None:
        while not stop.is_set():
            await self.say(text)


async def each(callers: list[Caller], text: str = "Hello.") -> None:
    """Everybody says it, at once."""
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(caller.say(text))


@asynccontextmanager
async def talking(callers: list[Caller]) -> AsyncIterator[None]:
    """Everybody talks, turn after turn, as long as the block lasts; then the last turns end."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for caller in callers:
            group.create_task(caller.keep_talking(stop))
        try:
            yield
        finally:
            stop.set()


@asynccontextmanager
async def callers(address: str, number: int, clients: int = 4) -> AsyncIterator[list[Caller]]:
    """That many sessions, over a few connections: Envoy's threads each see some of them."""
    doors = [AsyncClient(address) for _ in range(clients)]
    try:
        yield [Caller(doors[n % clients], f"s{n}") for n in range(number)]
    finally:
        for door in doors:
            await door.aclose()


def calls(everybody: list[Caller]) -> int:
    return sum(caller.calls for caller in everybody)
