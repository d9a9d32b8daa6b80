"""What an exchange needs of a transport: `Channel`. And the waits that bound it.

Owns the seam between "what is said" (exchange) and "over what" (websocket, http). Must never know events or
plans.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from service.domain.errors import Reason, TurnError


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each named wait may last, in seconds."""

    connect_s: float = 8.0
    send_s: float = 10.0
    first_event_s: float = 30.0
    idle_s: float = 120.0


class Channel(Protocol):
    """One way to the upstream, as long as one exchange lasts."""

    @property
    def open(self) -> bool:
        """Whether it may still be written to: False proves that nothing was sent."""
        ...

    async def send(self, data: bytes) -> None:
        """Writes one request. Cancelled: it may have been written in part."""
        ...

    async def receive(self) -> list[str | bytes]:
        """All frames that wait, at least one: text as str, binary as bytes. TurnError when none can come any
        more.

        Cancelled: nothing is lost.
        """
        ...


@asynccontextmanager
async def bounded(seconds: float, name: str, variable: str) -> AsyncIterator[None]:
    """A named wait: TurnError TIMEOUT that says which one ran out, and which setting bounds it."""
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError as exc:
        if not scope.expired():
            raise
        raise TurnError(
            Reason.TIMEOUT, f"{name} took longer than {seconds:g} s (TRUNKLINE_{variable})"
        ) from exc
