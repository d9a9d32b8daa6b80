"""Record what the simulator received: the latest requests, counters, and a way to wait until either changes.

The number and the bytes of the requests are bounded, so that the journal does not grow in a soak.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simulator.errors import Json
from simulator.settings import Settings


@dataclass(slots=True)
class Received:
    """One request, and what became of it.

    `finished` is None while it runs, then `completed`, `incomplete`, `failed` (by script or by the response),
    `rejected` (invalid), `broken` (the script broke the connection) or `aborted` (the client left).
    `compacts`: it asks for a compaction and not for an answer.
    """

    transport: str
    connection_id: str
    body: Json
    size: int
    headers: Mapping[str, str] = field(repr=False)
    new_items: int = 0
    known_items: int = 0
    repeated_items: int = 0
    response_id: str | None = None
    finished: str | None = None
    compacts: bool = False

    @property
    def previous_response_id(self) -> str | None:
        found = self.body.get("previous_response_id")
        return found if isinstance(found, str) else None

    @property
    def generate(self) -> bool:
        return self.body.get("generate") is not False

    @property
    def items(self) -> list[str]:
        """The types of the input's items. A message may leave its type out."""
        given = self.body.get("input")
        if not isinstance(given, list):
            return ["message"] if given else []
        return [str(item.get("type") or "message") for item in given if isinstance(item, dict)]

    def summary(self) -> Json:
        """Return all fields but the body, of which only the types of items are shown, and the headers."""
        names = (
            "transport",
            "connection_id",
            "size",
            "new_items",
            "known_items",
            "repeated_items",
            "response_id",
            "finished",
            "compacts",
        )
        shown = {name: getattr(self, name) for name in names}
        shown |= {"previous_response_id": self.previous_response_id, "generate": self.generate}
        return {**shown, "items": self.items}


@dataclass(slots=True)
class Stats:
    handshakes: int = 0
    refused: int = 0
    connections_total: int = 0
    open_connections: int = 0
    http_requests: int = 0
    requests_total: int = 0
    bytes_received: int = 0
    pings: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    completed: int = 0
    incomplete: int = 0
    failed: int = 0
    rejected: int = 0
    broken: int = 0
    aborted: int = 0
    expired: int = 0


class Journal:
    """All changes go through its methods, which wake whoever waits in `wait_for`."""

    def __init__(self, settings: Settings) -> None:
        self.requests: list[Received] = []
        self.stats = Stats()
        self._settings = settings
        self._bytes_kept = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def count(self, name: str, by: int = 1) -> None:
        setattr(self.stats, name, getattr(self.stats, name) + by)
        self._wake()

    def arrived(self, received: Received) -> None:
        self.requests.append(received)
        self._bytes_kept += received.size
        self._forget()
        self.count("requests_total")

    def started(self) -> None:
        self.stats.max_in_flight = max(self.stats.max_in_flight, self.stats.in_flight + 1)
        self.count("in_flight")

    def ended(self, received: Received, otherwise: str) -> None:
        """Count an answer that is over; `otherwise` is its ending when it has none of its own."""
        received.finished = received.finished or otherwise
        self.stats.in_flight -= 1
        self.count(received.finished)

    async def wait_for(self, predicate: Callable[[], object], timeout: float) -> None:
        """Return once the predicate holds; it is checked at every change.

        Raises TimeoutError. Cancelling removes the waiter.
        """
        async with asyncio.timeout(timeout):
            while not predicate():
                change = asyncio.get_running_loop().create_future()
                self._waiting.add(change)
                try:
                    await change
                finally:
                    self._waiting.discard(change)

    def _wake(self) -> None:
        for change in self._waiting:
            if not change.done():
                change.set_result(None)

    def _forget(self) -> None:
        kept = self._settings
        while len(self.requests) > kept.keep_requests or (
            len(self.requests) > 1 and self._bytes_kept > kept.keep_request_bytes
        ):
            self._bytes_kept -= self.requests.pop(0).size
