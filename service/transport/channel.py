"""The interface between an exchange and its transport, `Channel`, and the timeouts that bound it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

CLOSE_TIMEOUT_S = 2.0
"""How long a peer may take to close, over either transport."""


@dataclass(frozen=True, slots=True)
class Waits:
    """The timeouts of an exchange, in seconds.

    `first_event_s`: of silence before the first event; `first_event_limit_s`: until it, whatever arrives.
    """

    connect_s: float
    send_s: float
    first_event_s: float
    first_event_limit_s: float
    idle_s: float


class Channel(Protocol):
    """Carry one exchange to the upstream and back: a WebSocket connection or an HTTP stream."""

    @property
    def open(self) -> bool:
        """Whether it can still be written to. False before `send` proves that nothing was sent."""
        ...

    @property
    def heard_at(self) -> float:
        """When the peer last sent anything of its own accord, in seconds of `receive_buffer.now`."""
        ...

    @property
    def received_any(self) -> bool:
        """Whether the peer has ever sent anything over it."""
        ...

    @property
    def sent_at(self) -> float | None:
        """When the last request was written whole, on the monotonic clock in seconds; None: not yet."""
        ...

    async def settle(self) -> None:
        """Process what has already arrived, so that `open` is current.

        Cancellation: nothing is lost.
        """
        ...

    async def send(self, data: bytes | bytearray, within_s: float) -> None:
        """Write one request.

        Raises TurnError if the channel is closed, and TimeoutError if the peer does not take the request in
        `within_s` seconds.

        Cancellation: the request may have been written in part.
        """
        ...

    async def receive(self, within_s: float, *, may_wait: bool = False) -> list[str | bytes]:
        """Return all messages that have arrived: text as str, binary as bytes. Over HTTP the list is empty
        when bytes arrived that end no event.

        `may_wait`: while the event loop is busy, they may wait for its next poll of running answers (`Pace`).

        Raises TurnError if none can arrive any more, and TimeoutError if none arrives in `within_s` seconds.

        Cancellation: nothing is lost.
        """
        ...

    async def finish(self, *, orderly: bool) -> None:
        """End the exchange. `orderly`: the answer was read to its end; otherwise HTTP cuts it off.

        A connection is not closed here: its lease decides.
        """
        ...
