"""Use both clients in one way: blocking calls run in a thread."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Any

from trunkline import AsyncClient, Client, Event


class Face(ABC):
    client: AsyncClient | Client

    @abstractmethod
    async def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """The result of a method of the client or of a conversation."""

    @abstractmethod
    def events(self, turn: Any) -> AsyncIterator[Event]:
        """The events of a turn or a run."""

    @abstractmethod
    async def close(self) -> None: ...


class AsyncFace(Face):
    def __init__(self, address: str) -> None:
        self.client: AsyncClient = AsyncClient(address)

    async def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        return await function(*arguments, **named)

    async def events(self, turn: Any) -> AsyncIterator[Event]:
        async for event in turn:
            yield event

    async def close(self) -> None:
        await self.client.aclose()


class SyncFace(Face):
    def __init__(self, address: str) -> None:
        self.client: Client = Client(address)

    async def call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        return await asyncio.to_thread(function, *arguments, **named)

    async def events(self, turn: Any) -> AsyncIterator[Event]:
        while (event := await asyncio.to_thread(next, turn, None)) is not None:
            yield event

    async def close(self) -> None:
        self.client.close()
