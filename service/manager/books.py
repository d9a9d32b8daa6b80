"""The books of the pool: which line is whose, which is idle, how many there may be.

Owns the decisions. Every method changes the books at once, awaits nothing, and returns what must be done (law
6). Must never know how a line is opened or closed. The rule that would be broken first: leased + idle + being
dialled never exceed the limit.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from service.manager.registry import Session
from service.transport.websocket import Line


@dataclass(frozen=True, slots=True)
class Decision:
    """What a request for a line comes to: this `line`, leased; or a place to `dial` one; or neither: none can
    be had now.

    `close` are the lines that went out of the books on the way.
    """

    line: Line | None = None
    dial: bool = False
    close: tuple[Line, ...] = ()


class Books:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._idle: OrderedDict[Line, Session | None] = OrderedDict()
        # Among thousands that are idle the spares must be found without looking at the others.
        self._spare: dict[Line, None] = {}
        self._leased: set[Line] = set()
        self.dialing = 0

    def __repr__(self) -> str:
        counts = f"{len(self._leased)} leased, {len(self._idle)} idle, {self.dialing} dialing"
        return f"Books({counts}, limit {self._limit})"

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def leased(self) -> int:
        return len(self._leased)

    @property
    def spares(self) -> int:
        return len(self._spare)

    @property
    def full(self) -> bool:
        return len(self._leased) + len(self._idle) + self.dialing >= self._limit

    def request(self, session: Session | None, *, spare: bool = True) -> Decision:
        """A line for the session; None: for a fork, which has none of its own. `spare`: one will do.

        1. The session's own idle line, if it is fit.
        2. A spare one.
        3. A place for a new one.
        4. The place of the idle line that was used longest ago.
        5. Nothing.
        """
        close: list[Line] = []
        own = session.line if session is not None else None
        if own is not None and own in self._idle:
            if own.fit:
                return Decision(line=self._lease(own))
            self._drop_idle(own)
            close.append(own)
        for line in list(self._spare) if spare else ():
            if line.fit:
                return Decision(line=self._lease(line), close=tuple(close))
            self._drop_idle(line)
            close.append(line)
        if self.full and self._idle:
            oldest = next(iter(self._idle))
            self._drop_idle(oldest)
            close.append(oldest)
        if self.full:
            return Decision(close=tuple(close))
        self.dialing += 1
        return Decision(dial=True, close=tuple(close))

    def reserve_spare(self, wanted: int) -> bool:
        """A place to dial a spare in, if fewer than `wanted` stand ready; never at the cost of another
        line.
        """
        if self.spares + self.dialing >= wanted or self.full:
            return False
        self.dialing += 1
        return True

    def dialed(self, line: Line | None) -> None:
        """A dial ended: with a line, which is leased now, or without."""
        self.dialing -= 1
        if line is not None:
            self._leased.add(line)

    def release(self, line: Line, owner: Session | None) -> None:
        """A leased line is idle now, the owner's own (None: a spare)."""
        self._leased.remove(line)
        self._idle[line] = owner
        if owner is None:
            self._spare[line] = None

    def forget(self, line: Line) -> Session | None:
        """A line is gone, or must go. Returns the session whose idle line it was."""
        self._leased.discard(line)
        return self._drop_idle(line) if line in self._idle else None

    def worn(self) -> list[Line]:
        """Takes out the idle lines that will never be used again."""
        lines = [line for line in self._idle if line.worn]
        for line in lines:
            self._drop_idle(line)
        return lines

    def lines(self) -> list[Line]:
        return [*self._leased, *self._idle]

    def _lease(self, line: Line) -> Line:
        del self._idle[line]
        self._spare.pop(line, None)
        self._leased.add(line)
        return line

    def _drop_idle(self, line: Line) -> Session | None:
        owner = self._idle.pop(line)
        self._spare.pop(line, None)
        if owner is not None and owner.line is line:
            owner.line = None
            owner.history.line_closed(line.id)
        return owner
