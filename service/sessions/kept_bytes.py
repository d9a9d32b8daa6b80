"""Bound the bytes of the events that turns with a key keep for their callers: `KeptBytes`.

Counted is what the events take in memory: about 150 bytes and its text for each delta. Example: an answer of
4,000 tokens, one delta each, takes 600 KiB, and its `Completed` 16 KiB more; with the default of 64 MiB a
replica keeps a hundred of them.

Where there are several tenants, one may have half of the bytes.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING

from service.domain.errors import Reason, TurnError
from service.sessions.admission import RETRY_AFTER_S
from service.telemetry.telemetry import OFF, Limit, Telemetry

if TYPE_CHECKING:
    import asyncio

TURN_BYTES = 4096
"""What a turn takes before its first event: its task, its key and its entries in the tables."""
SLOT_BYTES = 24
"""What the collector and the list take for one event."""


def size_of(value: object) -> int:
    """Return the bytes that a value of the domain takes in memory. Numbers and enums are shared: 0."""
    if isinstance(value, str | bytes):
        return sys.getsizeof(value)
    if isinstance(value, tuple):
        return sys.getsizeof(value) + sum(map(size_of, value))
    if is_dataclass(value):
        inside = sum(size_of(getattr(value, field.name)) for field in fields(value))
        return SLOT_BYTES + sys.getsizeof(value) + inside
    return 0


class KeptBytes:
    """Share `most` bytes among all kept turns; one of them has at most `per_turn`."""

    def __init__(self, most: int, per_turn: int, telemetry: Telemetry = OFF) -> None:
        self._most = most
        self._telemetry = telemetry
        self._taken: Counter[str] = Counter()
        self._waiting: set[asyncio.Event] = set()
        self.per_turn = per_turn
        self.bytes = 0

    def __repr__(self) -> str:
        return f"KeptBytes({self.bytes}/{self._most} bytes of {len(self._taken)} tenants)"

    def check(self, tenant: str) -> None:
        """Raise TurnError OVERLOADED when the tenant may not keep one more turn."""
        if self.fits(tenant, TURN_BYTES):
            return
        self._telemetry.refused(Limit.KEPT)
        whose = f"kept turns of tenant {tenant!r}" if self.bytes + TURN_BYTES <= self._most else "kept turns"
        message = f"{whose} have no room left (TRUNKLINE_MAX_KEPT_BYTES)"
        raise TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_S)

    def fits(self, tenant: str, size: int) -> bool:
        """Return whether the tenant may keep so many bytes more. The only tenant may have all."""
        share = self._most // 2 if tenant else self._most
        return self.bytes + size <= self._most and self._taken[tenant] + size <= share

    def take(self, tenant: str, size: int) -> None:
        """Count bytes that are kept, whether they fit or not."""
        self.bytes += size
        self._taken[tenant] += size

    def release(self, tenant: str, size: int) -> None:
        """Count bytes that are no longer kept, and wake those who wait for them."""
        self.bytes -= size
        self._taken[tenant] -= size
        if not self._taken[tenant]:
            del self._taken[tenant]
        for room in self._waiting:
            room.set()

    @contextmanager
    def waiting(self, room: asyncio.Event) -> Iterator[None]:
        """Set this event whenever bytes become free, for as long as the block lasts."""
        self._waiting.add(room)
        try:
            yield
        finally:
            self._waiting.discard(room)


def total(events: Iterable[object]) -> int:
    """Return the bytes that these events take in memory."""
    return sum(map(size_of, events))
