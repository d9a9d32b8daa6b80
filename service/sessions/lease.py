"""Grant one turn the use of a connection: `Lease`, and the error when none is available."""

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
    """Report that no connection is available and nothing was sent.

    `why` is the `transport_reason` that the turn's report gives for it.
    """

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
    """Grant one exchange over a connection. `connect_s`: the seconds that opening it took; 0: reused."""

    line: Line
    session: Session | None
    reused: bool
    connect_s: float
    _pool: Pool

    def failed(self, error: TurnError, session: Session) -> None:
        """Report that the exchange of the session, or of a fork of it, failed over the connection."""
        self._pool.record_failure(self.line, error, session)

    def end(self, *, clean: bool) -> None:
        """Release the connection. If it is not `clean`, it is in the middle of an answer and is closed."""
        self._pool.end_lease(self, clean)
