# Generated from trunkline/aio/events.py by `make fmt`, never edited.
"""The common interface of turns and runs, blocking: iterate, leave, wait for the end."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from trunkline.events import Done, Event


class SyncEvents(ABC):
    """Events that end with `Done` or raise. `with` makes the moment of leaving certain."""

    @property
    @abstractmethod
    def done(self) -> Done: ...

    @abstractmethod
    def __next__(self) -> Event: ...

    @abstractmethod
    def cancel(self) -> None:
        """Stops it, from any thread. Its reader gets a `TrunklineError` (CANCELLED) with the partial."""

    @abstractmethod
    def close(self) -> None:
        """Leaves it, without an error. Idempotent."""

    def __iter__(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def result(self) -> Done:
        """Reads what is left and returns the end."""
        for _ in self:
            pass
        return self.done
