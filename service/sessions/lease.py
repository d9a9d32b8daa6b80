"""Grant one turn the use of a connection: `Lease`, and the error when none is available."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from service.domain.errors import TurnError
from service.domain.report import TransportReason
from service.sessions.session import Session
from service.transport.connection import Connection
from service.transport.exchange import Exchange

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


class Lease:
    """Grant a turn the use of a connection for as long as the block lasts.

    `connect_s`: the seconds that opening it took; 0: reused. At the end the lease asks the exchange that it
    carried whether its answer was read whole. If not, the connection is in the middle of an answer and is
    closed; else it is idle again.
    """

    __slots__ = ("_exchange", "_model", "_pool", "_source", "connect_s", "line", "reused", "session")

    def __init__(
        self, pool: Pool, line: Connection, session: Session | None, *, reused: bool, connect_s: float = 0.0
    ) -> None:
        self.line = line
        self.session = session
        self.reused = reused
        self.connect_s = connect_s
        self._pool = pool
        self._exchange: Exchange | None = None
        self._source: Session | None = None
        self._model = ""

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        exchange, self._exchange = self._exchange, None
        clean = exchange is None or exchange.orderly
        if self._source is not None and isinstance(error, TurnError):
            clean = clean and error.policy.connection_reusable
            self._pool.record_failure(self.line, error, self._source, self._model)
        self._pool.end_lease(self, clean)

    def carries(self, exchange: Exchange, source: Session, model: str) -> None:
        """The connection carries this exchange of the session, or of a fork of it, with this model."""
        self._exchange, self._source, self._model = exchange, source, model
        self._pool.note_model(model)
