"""Connections without sockets."""

import itertools
from typing import Any

from service.domain.tenant import Caller
from service.sessions.pool_state import PoolState
from service.sessions.session import Session


class _Line:
    """Stand in for a connection: only what the pool state reads."""

    _ids = itertools.count(1)

    def __init__(self) -> None:
        self.id = next(self._ids)
        self.open = True
        self.healthy = True
        self.expired = False
        self.received_any = False
        self.by_callers_key = False
        self.on_first_message = lambda: None
        self.on_close = lambda line: None

    def __repr__(self) -> str:
        return f"line {self.id}"

    def receive(self) -> None:
        self.received_any = True
        self.on_first_message()

    def rest(self) -> None:
        """Nothing is due."""

    def discard(self) -> None:
        self.close()

    def close(self, *, going_away: bool = False) -> None:
        if self.open:
            self.open = self.healthy = False
            self.expired = True
            self.on_close(self)


def fake_line() -> Any:
    """Return a connection without a socket."""
    return _Line()


ANYBODY = Caller()


def session(name: str = "s", tenant: str = "") -> Session:
    return Session(tenant, name, 0.0, 0.0)


def dial(state: PoolState, owner: Session | None, line) -> None:
    """What the pool does with a decision to dial."""
    state.dialed(line, owner.tenant if owner is not None else "")
    if owner is not None:
        owner.attach(line)
