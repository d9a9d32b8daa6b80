"""Track the turns and warm-ups that run, and end them in a drain: `Running`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from service.sessions.endpoint import Endpoint

INTERRUPTED_TURNS_S = 5.0
"""How long interrupted turns may take to report their end."""


class Interruptible(Protocol):
    """What takes the place of a turn. `warms_up`: a drain does not wait for it. `endpoint`: where it runs."""

    @property
    def warms_up(self) -> bool: ...

    @property
    def endpoint(self) -> Endpoint | None: ...

    def interrupt(self) -> None:
        """End it now."""


class Running:
    """Hold the turns that run now, warm-ups and compactions among them."""

    def __init__(self) -> None:
        self._turns: set[Interruptible] = set()
        self._awaited: dict[Interruptible, asyncio.Event] = {}
        self._quiet = asyncio.Event()
        self._quiet.set()

    def __repr__(self) -> str:
        return f"Running({len(self._turns)} turns)"

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Interruptible]:
        return iter(self._turns)

    async def left(self, turn: Interruptible) -> None:
        """Wait until this turn, which runs now, has ended."""
        await self._awaited.setdefault(turn, asyncio.Event()).wait()

    @contextmanager
    def turn(self, turn: Interruptible) -> Iterator[None]:
        """Count the turn for as long as the block lasts."""
        self._turns.add(turn)
        self._quiet.clear()
        try:
            yield
        finally:
            self._turns.remove(turn)
            if turn in self._awaited:
                self._awaited.pop(turn).set()
            if not self._turns:
                self._quiet.set()

    async def drain(self, grace_s: float) -> None:
        """End the warm-ups at once, and the turns after the grace; return when all have ended, or
        `INTERRUPTED_TURNS_S` later.
        """
        self._interrupt(turn for turn in self._turns if turn.warms_up)
        if not await self.finished(grace_s):
            self._interrupt(self._turns)
            await self.finished(INTERRUPTED_TURNS_S)

    async def finished(self, seconds: float) -> bool:
        """Wait until nothing runs. Returns False when that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True

    def _interrupt(self, turns: Iterable[Interruptible]) -> None:
        for turn in list(turns):
            turn.interrupt()
