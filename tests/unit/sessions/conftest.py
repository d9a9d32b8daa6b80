"""Lines without sockets, and a clock that stands still until told."""

import itertools
from typing import Any

import pytest

from service.domain.tenant import Caller
from service.sessions.pool_state import Books
from service.sessions.registry import Session


class _Line:
    """What the books look at of a line."""

    _ids = itertools.count(1)

    def __init__(self) -> None:
        self.id = next(self._ids)
        self.open = True
        self.fit = True
        self.worn = False
        self.spoke = False
        self.by_callers_key = False
        self.on_first_word = lambda: None
        self.on_close = lambda line: None

    def __repr__(self) -> str:
        return f"line {self.id}"

    def speak(self) -> None:
        self.spoke = True
        self.on_first_word()

    def rest(self) -> None:
        """Nothing is due."""

    def discard(self) -> None:
        self.close()

    def close(self, *, going_away: bool = False) -> None:
        if self.open:
            self.open = self.fit = False
            self.worn = True
            self.on_close(self)


def fake_line() -> Any:
    """A line, as far as the books can tell."""
    return _Line()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


ANYBODY = Caller()


def session(name: str = "s", tenant: str = "") -> Session:
    return Session(tenant, name, 0.0, 0.0)


def dial(books: Books, owner: Session | None, line) -> None:
    """What the pool does with a decision to dial."""
    books.dialed(line, owner.tenant if owner is not None else "")
    if owner is not None:
        owner.line = line
