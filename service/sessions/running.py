"""Track the turns and warm-ups that run, and end them in a drain: `Running`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from service.sessions.turn import Turn

INTERRUPTED_TURNS_S = 5.0
"""How long interrupted turns may take to report their end."""

_One = TypeVar("_One", Turn, asyncio.Timeout)


class Running:
    """Hold what runs now; a warm-up is identified by the timeout that bounds it."""

    def __init__(self) -> None:
        self._turns: set[Turn] = set()
        self._warm_ups: set[asyncio.Timeout] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    def __repr__(self) -> str:
        return f"Running({len(self._turns)} turns, {len(self._warm_ups)} warm-ups)"

    def __len__(self) -> int:
        return len(self._turns) + len(self._warm_ups)

    def turn(self, turn: Turn) -> AbstractContextManager[None]:
        """Count the turn for as long as the block lasts."""
        return self._counted(self._turns, turn)

    def warm_up(self, scope: asyncio.Timeout) -> AbstractContextManager[None]:
        """Count the warm-up for as long as the block lasts."""
        return self._counted(self._warm_ups, scope)

    async def drain(self, grace_s: float) -> None:
        """End the warm-ups at once, and the turns after the grace; return when all have ended, or
        `INTERRUPTED_TURNS_S` later.
        """
        for scope in self._warm_ups:
            if not scope.expired():
                scope.reschedule(asyncio.get_running_loop().time())
        if not await self.finished(grace_s):
            for turn in list(self._turns):
                turn.interrupt()
            await self.finished(INTERRUPTED_TURNS_S)

    @contextmanager
    def _counted(self, running: set[_One], one: _One) -> Iterator[None]:
        running.add(one)
        self._quiet.clear()
        try:
            yield
        finally:
            running.remove(one)
            if not len(self):
                self._quiet.set()

    async def finished(self, seconds: float) -> bool:
        """Wait until nothing runs. Returns False when that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._quiet.wait()
        except TimeoutError:
            return False
        return True
