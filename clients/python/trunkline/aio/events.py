"""The common interface of turns and runs for asyncio: iterate, leave, wait for the end."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from trunkline.events import Done, Event


class AsyncEvents(ABC):
    """Events that end with `Done` or raise. `async with` makes the moment of leaving certain."""

    @property
    @abstractmethod
    def done(self) -> Done: ...

    @abstractmethod
    async def __anext__(self) -> Event: ...

    @abstractmethod
    def cancel(self) -> None:
        """Stops it. Its reader gets a `TrunklineError` (CANCELLED) with the partial."""

    @abstractmethod
    async def aclose(self) -> None:
        """Leaves it, without an error. Idempotent."""

    def __aiter__(self) -> Self:
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def result(self) -> Done:
        """Reads what is left and returns the end."""
        async for _ in self:
            pass
        return self.done
