"""What a turn has done so far: `Account`.

Owns the turn's state, its report and its times. Must never know sockets, or decide where the turn goes. The
rule that would be broken first: what was written upstream counts, however the writing ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.domain.events import Completed, Event, Started
from service.domain.messages import Transport
from service.domain.report import Timings, TransportReason, TurnReport
from service.manager.pool import Lease
from service.session.turn import Progress, Signal, State
from service.telemetry.turns import Watch
from service.transport.exchange import Exchange


class Account:
    """`clock` is in seconds and never goes back; the turn began at `started_at`, and has had its place
    since now.
    """

    def __init__(
        self, turn_id: str, wish: Transport, watch: Watch, *, clock: Callable[[], float], started_at: float
    ) -> None:
        self.progress = Progress()
        self._watch = watch
        self._clock = clock
        self._started_at = started_at
        self._report = TurnReport(
            turn_id,
            Transport.SSE if wish is Transport.SSE else Transport.WEBSOCKET,
            TransportReason.PREFERRED if wish is Transport.AUTO else TransportReason.REQUESTED,
            timings=Timings(queue=self._elapsed()),
        )
        watch.runs(self.report)

    def __repr__(self) -> str:
        return f"Account({self.progress!r}, {self.transport.value})"

    @property
    def transport(self) -> Transport:
        """What the turn runs over now."""
        return self._report.transport

    @property
    def dispatched(self) -> bool:
        """Something may have reached the upstream."""
        return self.progress.dispatches > 0

    @property
    def completed(self) -> bool:
        return self.progress.state is State.DONE

    def report(self) -> TurnReport:
        timings = replace(self._report.timings, total=self._elapsed())
        return replace(self._report, timings=timings, attempts=self.progress.dispatches)

    def leased(self, lease: Lease) -> None:
        self._time(connect=self._report.timings.connect + lease.connect_s)
        self._report = replace(self._report, connection_reused=lease.reused)
        self._watch.leased(lease.line.dialed, reused=lease.reused)

    def fell_back(self, why: TransportReason) -> None:
        """From now on the turn runs over SSE."""
        self._report = replace(
            self._report, transport=Transport.SSE, transport_reason=why, connection_reused=False
        )
        self._watch.fell_back(why)

    def had_no_line(self, why: TransportReason) -> None:
        """A turn that may take no other way ends here."""
        self._report = replace(self._report, transport_reason=why)

    def came_down_to(self, report: TurnReport) -> None:
        """What the turn comes down to is an earlier attempt: the later ones sent nothing."""
        self._report = replace(report, timings=self._report.timings)

    def planned(self, exchange: Exchange) -> None:
        """The exchange is about to be written."""
        self._report = replace(
            self._report,
            incremental=exchange.plan.incremental,
            context_reason=exchange.plan.reason,
            bytes_sent=exchange.bytes_sent,
            bytes_saved=exchange.bytes_saved,
        )
        self._watch.attempt(self._report, exchange)

    def admit(self, event: Event) -> bool:
        """Moves the turn on by one event; False: the caller has seen its like already."""
        match event:
            case Started():
                self._report = replace(self._report, response_id=event.response_id)
                self._watch.created(event)
                if not self.progress.advance(Signal.START):
                    return False
                self._time(first_event=self._elapsed())
            case Completed():
                self.progress.advance(Signal.COMPLETE)
                self._watch.completed(event)
            case _:
                if self.progress.advance(Signal.CONTENT):
                    self._time(first_content=self._elapsed())
                    self._watch.first_content()
        return True

    def _time(self, **phases: float) -> None:
        self._report = replace(self._report, timings=replace(self._report.timings, **phases))

    def _elapsed(self) -> float:
        return self._clock() - self._started_at
