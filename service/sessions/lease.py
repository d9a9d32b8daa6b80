"""The right to one exchange over a line, and the error when there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.domain.errors import TurnError
from service.domain.report import TransportReason
from service.sessions.registry import Session
from service.transport.connection import Line

if TYPE_CHECKING:
    from service.sessions.pool import Pool


class NoConnectionError(TurnError):
    """No line can be had, and nothing was sent. Expected; `why` is what the turn's report says of it."""

    def __init__(self, error: TurnError, why: TransportReason) -> None:
        super().__init__(
            error.reason,
            error.message,
            retryable=error.retryable,
            retry_after=error.retry_after,
            upstream=error.upstream,
        )
        self.why = why


@dataclass(slots=True)
class Lease:
    """The right to one exchange over a line. `connect_s`: what it took to open it."""

    line: Line
    session: Session | None
    reused: bool
    connect_s: float
    _pool: Pool

    def failed(self, error: TurnError, session: Session) -> None:
        """The session's exchange (or that of a fork of it) failed that was tried over the line."""
        self._pool.record_failure(self.line, error, session)

    def end(self, *, clean: bool) -> None:
        """Gives the line back. Not clean: it is in the middle of something, and is closed at once."""
        self._pool.end_lease(self, clean)
