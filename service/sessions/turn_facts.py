"""Say how far a turn is, to whoever serves it or asks for it: `TurnFacts`."""

from __future__ import annotations

from service.domain.events import Usage
from service.domain.messages import Message
from service.domain.report import TurnReport, TurnView
from service.domain.turn_record import TurnRecord
from service.sessions.endpoint import Endpoint
from service.transport.exchange import Exchange


class TurnFacts:
    """What can be asked of a turn at any time. `Turn` runs it.

    `endpoint`: the upstream that it goes to now. `_exchange`: the last one; None: there was none. `_events`:
    how many were yielded.
    """

    def __init__(self, record: TurnRecord, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._record = record
        self._exchange: Exchange | None = None
        self._events = 0

    def __repr__(self) -> str:
        return f"Turn({self._record.turn_id}, {self._record!r})"

    @property
    def model(self) -> str:
        """The one that the caller names."""
        return self._record.request.model

    @property
    def dispatched(self) -> bool:
        """Whether something may have reached the upstream. While the exchange waits only it knows that."""
        return self._record.dispatched or (self._exchange is not None and self._exchange.dispatched)

    @property
    def completed(self) -> bool:
        return self._record.completed is not None

    @property
    def size(self) -> int:
        """The size of the last request and its answer, in bytes."""
        return self._exchange.size if self._exchange is not None else 0

    @property
    def usage(self) -> Usage | None:
        return self._exchange.usage if self._exchange is not None else None

    def report(self) -> TurnReport:
        return self._record.report()

    def partial(self) -> Message | None:
        """Return what has been received of the answer, or None when there was no exchange."""
        return self._exchange.partial() if self._exchange is not None else None

    def view(self) -> TurnView:
        return self._record.view(self._events)
