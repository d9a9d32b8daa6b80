"""Record what a turn has done so far: `TurnRecord`.

What was written upstream counts, however the writing ended.
"""

from __future__ import annotations

from collections.abc import Callable

from service.domain.events import Completed, Event, Started
from service.domain.messages import Transport
from service.domain.plan import ContextReason
from service.domain.replay import Progress, Signal, State
from service.domain.report import Timings, TransportReason, TurnReport
from service.sessions.lease import Lease
from service.telemetry.turns import TurnPublisher
from service.transport.exchange import Exchange


class TurnRecord:
    """Hold the state, the report and the times of one turn.

    `clock` is monotonic, in seconds; the turn began at `started_at` and was admitted when the record is made.
    The report is made on demand only.
    """

    __slots__ = (
        "_bytes_saved",
        "_bytes_sent",
        "_clock",
        "_connect_s",
        "_context_reason",
        "_first_content_s",
        "_first_event_s",
        "_incremental",
        "_queue_s",
        "_response_id",
        "_reused",
        "_started_at",
        "_transport_reason",
        "_turn_id",
        "_watch",
        "progress",
        "transport",
    )

    def __init__(
        self,
        turn_id: str,
        wish: Transport,
        watch: TurnPublisher,
        *,
        clock: Callable[[], float],
        started_at: float,
    ) -> None:
        self.progress = Progress()
        self.transport = Transport.SSE if wish is Transport.SSE else Transport.WEBSOCKET
        """The transport that the turn uses now."""
        self._turn_id = turn_id
        self._watch = watch
        self._clock = clock
        self._started_at = started_at
        self._transport_reason = (
            TransportReason.PREFERRED if wish is Transport.AUTO else TransportReason.REQUESTED
        )
        self._response_id = ""
        self._incremental = self._reused = False
        self._context_reason: ContextReason | None = None
        self._bytes_sent = self._bytes_saved = 0
        self._queue_s = self._elapsed()
        self._connect_s = 0.0
        self._first_event_s: float | None = None
        self._first_content_s: float | None = None
        watch.admitted(self.report)

    def __repr__(self) -> str:
        return f"TurnRecord({self.progress!r}, {self.transport.value})"

    @property
    def dispatched(self) -> bool:
        """Whether something may have reached the upstream."""
        return self.progress.dispatches > 0

    @property
    def completed(self) -> bool:
        return self.progress.state is State.DONE

    def report(self) -> TurnReport:
        return TurnReport(
            self._turn_id,
            self.transport,
            self._transport_reason,
            self._response_id,
            self._incremental,
            self._context_reason,
            self.progress.dispatches,
            self._reused,
            Timings(
                self._queue_s, self._connect_s, self._first_event_s, self._first_content_s, self._elapsed()
            ),
            self._bytes_sent,
            self._bytes_saved,
        )

    def leased(self, lease: Lease) -> None:
        self._connect_s += lease.connect_s
        self._reused = lease.reused
        self._watch.leased(lease.line.dialed, reused=lease.reused)

    def fell_back(self, why: TransportReason) -> None:
        """Record that the turn uses SSE from now on."""
        self.transport, self._transport_reason, self._reused = Transport.SSE, why, False
        self._watch.fell_back(why)

    def without_connection(self, why: TransportReason) -> None:
        """Record why a turn ends for which no connection was available and no other transport is allowed."""
        self._transport_reason = why

    def revert_to(self, report: TurnReport) -> None:
        """Report an earlier attempt: the later ones sent nothing."""
        self.transport, self._transport_reason = report.transport, report.transport_reason
        self._response_id, self._reused = report.response_id, report.connection_reused
        self._incremental, self._context_reason = report.incremental, report.context_reason
        self._bytes_sent, self._bytes_saved = report.bytes_sent, report.bytes_saved

    def planned(self, exchange: Exchange) -> None:
        """Record an exchange that is about to be written."""
        self._incremental, self._context_reason = exchange.plan.incremental, exchange.plan.reason
        self._bytes_sent, self._bytes_saved = exchange.bytes_sent, exchange.bytes_saved
        self._watch.attempt(self.report(), exchange)

    def admit(self, event: Event) -> bool:
        """Advance the turn by one event. Return False for a second start, which the caller must not see."""
        match event:
            case Started():
                self._response_id = event.response_id
                self._watch.created(event)
                if not self.progress.advance(Signal.START):
                    return False
                self._first_event_s = self._elapsed()
            case Completed():
                self.progress.advance(Signal.COMPLETE)
                self._watch.completed(event)
            case _:
                # Fast path: only the first delta changes the state, so the table is not read for the others.
                if self.progress.state is not State.STREAMING and self.progress.advance(Signal.CONTENT):
                    self._first_content_s = self._elapsed()
                    self._watch.first_content()
        return True

    def _elapsed(self) -> float:
        return self._clock() - self._started_at
