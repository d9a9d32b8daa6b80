"""What an exchange needs of a transport: `Channel`. And the waits that bound it.

Owns the seam between "what is said" (exchange) and "over what" (websocket, http). Must never know events or
plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

CLOSE_TIMEOUT_S = 2.0
"""How long a peer may take to close, over either transport."""


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

    async def settle(self) -> None:
        """Take note of what has already arrived, so that `open` is true of this moment. Cancelled: nothing is
        lost.
        """
        ...

    async def send(self, data: bytes | bytearray, within_s: float) -> None:
        """Writes one request. TimeoutError: the peer did not take it in time.

        Cancelled: it may have been written in part.
        """
        ...

    async def receive(self, within_s: float, *, patient: bool = False) -> list[str | bytes]:
        """All frames that wait, at least one: text as str, binary as bytes. `patient`: while the loop is
        busy, they may wait for its next look (`Pace`).

        TurnError: none can come any more. TimeoutError: none came in time.

        Cancelled: nothing is lost.
        """
        ...
