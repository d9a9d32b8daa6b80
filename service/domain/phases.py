"""The phases of a turn: `Acquisition` and `Attempt`.

An `Acquisition` looks for a connection; the first begins with the turn, and includes its wait for a place.
An `Attempt` sends one request and receives its answer. Example: the connection breaks before any content, and
the turn goes on over a new one:

    Acquisition(reused) · Attempt(1, failed: CONNECTION_LOST) · Acquisition(dialed) · Attempt(2)

All times are seconds of the monotonic clock of the turn's record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from service.domain.events import Completed, Started, Usage
from service.domain.plan import Plan
from service.domain.report import TurnReport


class Response(Protocol):
    """What an exchange knows of its request and of the response so far."""

    @property
    def plan(self) -> Plan: ...
    @property
    def dispatched(self) -> bool: ...
    @property
    def sent_at(self) -> float | None: ...
    @property
    def bytes_sent(self) -> int: ...
    @property
    def bytes_saved(self) -> int: ...
    @property
    def usage(self) -> Usage | None: ...
    @property
    def ignored(self) -> Mapping[str, int]: ...


class Phase:
    """A part of a turn. `ended` is None while it runs; `error` is what ended it, None if nothing failed."""

    __slots__ = ("began", "ended", "error")

    def __init__(self, began: float) -> None:
        self.began = began
        self.ended: float | None = None
        self.error: BaseException | None = None

    def end(self, now: float, error: BaseException | None = None) -> None:
        """End the phase. Later calls do nothing."""
        if self.ended is None:
            self.ended = now
            self.error = error


class Acquisition(Phase):
    """The search for a connection.

    `asked_at`: when the pool was asked, None where it was not (SSE). `leased_at`: when it granted a
    connection. `dial`: identifies the span in which that was opened; None: it was reused.
    """

    __slots__ = ("admitted_at", "asked_at", "dial", "leased_at", "reused")

    def __init__(self, began: float) -> None:
        super().__init__(began)
        self.admitted_at: float | None = None
        self.asked_at: float | None = None
        self.leased_at: float | None = None
        self.reused = False
        self.dial: object | None = None


class Attempt(Phase):
    """One request and its answer. `report` is the turn's report just before the request was written."""

    __slots__ = (
        "completed",
        "created_at",
        "dispatched",
        "first_content_at",
        "number",
        "report",
        "response",
        "started",
    )

    def __init__(self, began: float, number: int, report: TurnReport, response: Response) -> None:
        super().__init__(began)
        self.number = number
        self.report = report
        self.response = response
        self.dispatched = False
        self.created_at: float | None = None
        self.first_content_at: float | None = None
        self.started: Started | None = None
        self.completed: Completed | None = None

    @property
    def sent_at(self) -> float | None:
        """When the request was written whole."""
        return self.response.sent_at
