"""Record what a turn has done so far: `TurnRecord`.

The turn writes it, and nothing is computed from it while a caller waits: the report to the caller, the spans,
the metrics and the log line are made from it, most of them after the call. What was written upstream counts,
however the writing ended.

A record holds the turn's phases in their order (`domain/phases.py`). Times are seconds of its clock, which is
monotonic; `wall_began` is the wall clock's time of `began`, in seconds of the epoch.
"""

from __future__ import annotations

from collections.abc import Callable

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Event, Started, Usage
from service.domain.messages import CompletionRequest, Transport
from service.domain.phases import Acquisition, Attempt, Response
from service.domain.plan import ContextReason
from service.domain.policy import Route
from service.domain.replay import Progress, Signal, State
from service.domain.report import NOBODY, Peer, Timings, TransportReason, TurnReport, TurnView, UpstreamReason


class TurnRecord:
    """Hold the state, the phases and the times of one turn of `tenant`. The report is made on demand."""

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
        "_transport_reason",
        "began",
        "completed",
        "ended",
        "error",
        "failovers",
        "fallbacks",
        "phases",
        "progress",
        "replays",
        "request",
        "tenant",
        "transport",
        "turn_id",
        "upstream",
        "upstream_reason",
        "wall_began",
        "warm_up_usage",
    )

    def __init__(
        self, tenant: str, request: CompletionRequest, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.tenant = tenant
        self.request = request
        self.turn_id = ""
        """Empty until the turn was admitted."""
        self.upstream = NOBODY
        self.upstream_reason: UpstreamReason | None = None
        self.failovers: list[tuple[Peer, UpstreamReason]] = []
        """Which upstreams the turn left, and why."""
        self.progress = Progress()
        self.transport, self._transport_reason = _first(request.options.transport, Transport.AUTO)
        self.completed: Completed | None = None
        self.fallbacks: list[TransportReason] = []
        """Why the turn went from WebSocket to SSE, if it did."""
        self.replays: list[Reason] = []
        """Why requests that were sent were sent again."""
        self.warm_up_usage: Usage | None = None
        """What the upstream reported for the warm-up in the turn; None: nothing, or there was none."""
        self.error: BaseException | None = None
        self.ended: float | None = None
        self._clock = clock
        self.began = clock()
        self.wall_began = wall()
        self.phases: list[Acquisition | Attempt] = [Acquisition(self.began)]
        self._response_id = ""
        self._incremental = self._reused = False
        self._context_reason: ContextReason | None = None
        self._bytes_sent = self._bytes_saved = 0
        self._queue_s = self._connect_s = 0.0
        self._first_event_s: float | None = None
        self._first_content_s: float | None = None

    def __repr__(self) -> str:
        return f"TurnRecord({self.progress!r}, {self.transport.value})"

    @property
    def dispatched(self) -> bool:
        """Whether something may have reached the upstream."""
        return self.progress.dispatches > 0

    @property
    def attempt(self) -> Attempt | None:
        """The last phase, if that is an attempt."""
        last = self.phases[-1]
        return last if isinstance(last, Attempt) else None

    @property
    def tokens(self) -> int:
        """What the upstream has reported for all requests so far, a warm-up included."""
        usages = [phase.response.usage for phase in self.phases if isinstance(phase, Attempt)]
        return sum(usage.total_tokens for usage in (self.warm_up_usage, *usages) if usage is not None)

    @property
    def first_route(self) -> Route:
        """The route of the first attempt at an upstream."""
        return Route.SSE if self.transport is Transport.SSE else Route.SAME_CONNECTION

    @property
    def forced(self) -> bool:
        """Whether the turn may take no transport but the WebSocket."""
        return Transport.WEBSOCKET in (self.request.options.transport, self.upstream.transport)

    def report(self) -> TurnReport:
        return TurnReport(
            self.turn_id,
            self.transport,
            self._transport_reason,
            self._response_id,
            self._incremental,
            self._context_reason,
            self.progress.dispatches,
            self._reused,
            Timings(
                self._queue_s,
                self._connect_s,
                self._first_event_s,
                self._first_content_s,
                (self.ended if self.ended is not None else self._clock()) - self.began,
            ),
            self._bytes_sent,
            self._bytes_saved,
            self._ignored_events(),
            upstream=self.upstream,
            upstream_reason=self.upstream_reason,
        )

    def view(self, last_sequence: int) -> TurnView:
        """Return what its owner may see of a turn that runs and is read by the call that began it."""
        key, began = self.request.turn_key, self.wall_began
        return TurnView(self.turn_id, key, began, attached=True, ended=False, last_sequence=last_sequence)

    # In the order of a turn; from `asked` on again for each attempt.

    def admitted(self, turn_id: str) -> None:
        """The turn has a place."""
        self.turn_id = turn_id
        now = self._clock()
        self._queue_s = now - self.began
        self._acquisition(now).admitted_at = now

    def sent_to(self, upstream: Peer, why: UpstreamReason | None = None) -> None:
        """The turn goes to this upstream. `why`: None where it is the only one."""
        self.upstream, self.upstream_reason = upstream, why
        self.transport, self._transport_reason = _first(self.request.options.transport, upstream.transport)

    def moved(self, upstream: Peer, why: UpstreamReason) -> None:
        """The turn goes on to this upstream, where the choice of a transport begins again."""
        self.failovers.append((self.upstream, why))
        self.sent_to(upstream, why)
        self._reused = False

    def asked(self) -> None:
        """The turn asks the pool for a connection."""
        now = self._clock()
        self._acquisition(now).asked_at = now

    def leased(self, *, reused: bool, connect_s: float, dial: object | None) -> None:
        """The turn has a connection."""
        now = self._clock()
        acquisition = self._acquisition(now)
        acquisition.leased_at, acquisition.reused, acquisition.dial = now, reused, dial
        self._connect_s += connect_s
        self._reused = reused

    def warmed_up(self, usage: Usage | None) -> None:
        """A warm-up is over, for which the upstream reported this."""
        self.warm_up_usage = usage

    def planned(self, response: Response) -> None:
        """A request is about to be written."""
        now = self._clock()
        plan = response.plan
        self._incremental, self._context_reason = plan.incremental, plan.reason
        self._bytes_sent, self._bytes_saved = response.bytes_sent, response.bytes_saved
        self.phases[-1].end(now)
        number = 1 + sum(isinstance(phase, Attempt) for phase in self.phases)
        self.phases.append(Attempt(now, number, self.report(), response))

    def dispatch(self, response: Response) -> None:
        """Count the request once the upstream may have read some of it."""
        attempt = self.attempt
        if response.dispatched and attempt is not None and not attempt.dispatched:
            attempt.dispatched = True
            self.progress.advance(Signal.DISPATCH)

    def admit(self, event: Event) -> bool:
        """Advance the turn by one event. Return False for a second start, which the caller must not see."""
        progress = self.progress
        match event:
            case Started():
                return self._started(event)
            case Completed():
                progress.advance(Signal.COMPLETE)
                self.completed = event
                if (attempt := self.attempt) is not None:
                    attempt.completed = event
                    attempt.end(self._clock())
            case _:
                # Fast path: only the first delta changes the state, so the table is not read for the others.
                if progress.state is not State.STREAMING and progress.advance(Signal.CONTENT):
                    now = self._clock()
                    self._first_content_s = now - self.began
                    if (attempt := self.attempt) is not None:
                        attempt.first_content_at = now
        return True

    def failed(self, error: TurnError) -> None:
        """The attempt failed, or no connection was available. The turn may continue."""
        self.phases[-1].end(self._clock(), error)

    def replayed(self, error: TurnError) -> None:
        """The request that failed so is about to be sent again."""
        self.replays.append(error.reason)

    def fell_back(self, why: TransportReason) -> None:
        """The turn uses SSE from now on."""
        self.transport, self._transport_reason, self._reused = Transport.SSE, why, False
        self.fallbacks.append(why)

    def without_connection(self, why: TransportReason) -> None:
        """The turn ends, since no connection was available and no other transport is allowed."""
        self._transport_reason = why

    def revert_to(self, report: TurnReport) -> None:
        """Report an earlier attempt: the later ones sent nothing."""
        self.transport, self._transport_reason = report.transport, report.transport_reason
        self._response_id, self._reused = report.response_id, report.connection_reused
        self._incremental, self._context_reason = report.incremental, report.context_reason
        self._bytes_sent, self._bytes_saved = report.bytes_sent, report.bytes_saved
        self.upstream, self.upstream_reason = report.upstream, report.upstream_reason

    def end(self, error: BaseException | None) -> None:
        """The turn is over, with this error. None: nothing failed."""
        self.error = error
        self.ended = self._clock()
        self.phases[-1].end(self.ended, error)

    def _ignored_events(self) -> tuple[tuple[str, int], ...]:
        """Return what the last attempt received and nobody understood: type and count."""
        attempt = self.attempt
        return tuple(sorted(attempt.response.ignored.items())) if attempt is not None else ()

    def _started(self, event: Started) -> bool:
        now = self._clock()
        self._response_id = event.response_id
        if (attempt := self.attempt) is not None:
            attempt.created_at, attempt.started = now, event
        if not self.progress.advance(Signal.START):
            return False
        self._first_event_s = now - self.began
        return True

    def _acquisition(self, now: float) -> Acquisition:
        """Return the running acquisition; begin one after an attempt, or after one that failed."""
        last = self.phases[-1]
        if not isinstance(last, Acquisition) or last.ended is not None:
            last = Acquisition(now)
            self.phases.append(last)
        return last


def _first(wish: Transport, allowed: Transport) -> tuple[Transport, TransportReason]:
    """Return the transport that is tried first, and why. `allowed`: the only one there; AUTO: both."""
    if wish is not Transport.AUTO:
        return wish, TransportReason.REQUESTED
    if allowed is not Transport.AUTO:
        return allowed, TransportReason.CONFIGURED
    return Transport.WEBSOCKET, TransportReason.PREFERRED
