"""Publish one turn from its record, after its call: its spans, its metrics and its log line.

Spans follow each other as the phases do: `session.acquire` while a connection is looked for, `chat {model}`
for each attempt. While the turn runs, nothing is made of the record: a span of the SDK locks, copies and
checks at each attribute. The exception is a span that something else needs as its parent while it runs: that
of a dial, or the upstream's own, by the headers of a request over HTTP. `TurnTrace` starts that one when it
is asked for, with the time at which the phase began, and ends it with the others.

Example: a turn begins at 10.000 s and looks for a connection. At 10.001 s one is dialled, whose parent is
`session.acquire`: that span is started then, as of 10.000. At 10.200 s the request is written, at 12.000 s
the answer is complete. The caller has it at 12.001 s, and only then `session.acquire` gets its events and
ends, as of 10.200, and `chat` is started as of 10.200 and ended as of 12.000.

All times are those of the record's monotonic clock, counted from the wall clock's time at its beginning, so a
step of the wall clock cannot make a span end before it began.
"""

from __future__ import annotations

from functools import partial
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode, set_span_in_context

from service.domain.phases import Acquisition, Attempt
from service.domain.report import TurnReport
from service.domain.turn_record import TurnRecord
from service.telemetry import attributes, calls, content, endings, logs, names, propagation, turn_metrics
from service.telemetry.attributes import Attributes, bounded
from service.telemetry.bounds import truncate
from service.telemetry.calls import Call
from service.telemetry.telemetry import Telemetry

NS = 1e9


class TurnTrace:
    """Trace one turn. It is a context manager around the whole turn, whose end ends the record.

    `call`: the call that the turn serves; the turn is published when that is over. None: it is published at
    once, and its spans have no parent.
    """

    __slots__ = ("_call", "_started", "_telemetry", "record")

    def __init__(self, telemetry: Telemetry, call: Call | None, record: TurnRecord) -> None:
        self.record = record
        self._telemetry = telemetry
        self._call = call
        self._started: dict[Acquisition | Attempt, Span] = {}

    def __repr__(self) -> str:
        return f"TurnTrace({self.record!r})"

    def __enter__(self) -> TurnTrace:
        request = self.record.request
        logs.bind(session=request.session_id, request_id=request.request_id)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.record.end(error)
        publish = partial(self._publish, endings.of_turn(self.record, self._call))
        if self._call is not None:
            self._call.on_end(publish)
        else:
            publish()

    def parent(self) -> Context:
        """Return the context of the running phase's span, for a span that is its child.

        After the turn, and without tracing, that of the call.
        """
        span = self._running()
        return self._above() if span is None else set_span_in_context(span, Context())

    def headers(self) -> dict[str, str]:
        """Return the headers that make the upstream's spans children of the running phase's span."""
        span = self._running()
        return {} if span is None else propagation.headers(span.get_span_context())

    def _running(self) -> Span | None:
        phase = self.record.phases[-1]
        if self._telemetry.tracer is None or phase.ended is not None:
            return None
        return self._span(phase)

    def _caller(self) -> Attributes:
        return self._call.caller if self._call is not None else {}

    def _above(self) -> Context:
        return self._call.context if self._call is not None else Context()

    def _publish(self, ending: str) -> None:
        """Export all spans, record all measurements and write the log line. The caller has its answer."""
        record = self.record
        report = record.report() if record.turn_id else None
        if self._telemetry.tracer is not None:
            for phase in record.phases:
                self._end(phase, endings.of_phase(record, phase, ending))
            self._started.clear()
        if self._call is not None and self._call.recording:
            self._call.annotate(_outcome(record, report, ending))
        turn_metrics.measure(self._telemetry, record, report, ending)
        turn_metrics.log(record, report, ending, self._caller())

    def _span(self, phase: Acquisition | Attempt) -> Span:
        """Return the span of this phase, started as of its beginning, with what a sampler may decide by."""
        span = self._started.get(phase)
        if span is None:
            tracer = self._telemetry.tracer
            assert tracer is not None, "no span is asked for without tracing"
            if isinstance(phase, Attempt):
                model = self.record.request.model
                name, kind = truncate(f"{names.SPAN_CHAT} {model}"), SpanKind.CLIENT
                known = attributes.of_operation(model) | attributes.of_upstream(phase.report.upstream)
            else:
                name, kind, known = names.SPAN_ACQUIRE, SpanKind.INTERNAL, _identity(self.record)
            span = tracer.start_span(
                name, self._above(), kind, bounded(known), start_time=self._ns(phase.began)
            )
            self._started[phase] = span
        return span

    def _end(self, phase: Acquisition | Attempt, ending: str) -> None:
        span = self._span(phase)
        if span.is_recording():
            if ending != calls.OK:
                span.set_status(StatusCode.ERROR)
                span.set_attributes(bounded(attributes.of_failure(ending, phase.error)))
            if isinstance(phase, Attempt):
                self._describe_attempt(span, phase, ending)
            else:
                self._describe_acquisition(span, phase)
        span.end(None if phase.ended is None else self._ns(phase.ended))

    def _describe_acquisition(self, span: Span, acquisition: Acquisition) -> None:
        if acquisition.admitted_at is not None:
            span.set_attribute(names.QUEUE_S, acquisition.admitted_at - acquisition.began)
            self._event(span, names.EVENT_ADMITTED, acquisition.admitted_at)
        if acquisition.leased_at is not None:
            self._event(span, names.EVENT_LEASED, acquisition.leased_at, {names.REUSED: acquisition.reused})
        if isinstance(acquisition.dial, SpanContext):
            span.add_link(acquisition.dial)

    def _describe_attempt(self, span: Span, attempt: Attempt, ending: str) -> None:
        request, response, completed = self.record.request, attempt.response, attempt.completed
        capture = self._telemetry.capture
        known = attributes.of_request(request) | attributes.of_report(attempt.report)
        known |= self._caller()
        known[names.ATTEMPT] = attempt.number
        if attempt.started is not None:
            known[names.RESPONSE_ID] = attempt.started.response_id
        if completed is not None:
            known |= attributes.of_answer(completed)
        if (first_chunk_s := turn_metrics.first_chunk_s(attempt)) is not None:
            known[names.TIME_TO_FIRST_CHUNK] = first_chunk_s
        if response.usage is not None:
            known |= attributes.of_usage(response.usage)
        if response.ignored:
            known[names.IGNORED_EVENTS] = tuple(sorted(response.ignored))
        said: Attributes = dict(content.input_attributes(request)) if capture.enabled else {}
        answered: Attributes = {}
        if completed is not None and capture.enabled:
            answered |= content.output_attributes(completed.message, completed.stop_reason)
        span.set_attributes(bounded(known | said | answered if capture.on_span else known))
        if capture.as_event:
            self._event(span, names.EVENT_DETAILS, attempt.began, said)
        self._event(span, names.EVENT_SENT, attempt.sent_at)
        self._event(span, names.EVENT_CREATED, attempt.created_at)
        self._event(span, names.EVENT_FIRST_CONTENT, attempt.first_content_at)
        if answered and capture.as_event:
            self._event(span, names.EVENT_DETAILS, attempt.ended, answered)
        self._event(span, names.EVENT_TERMINAL, attempt.ended, {names.ENDING: ending})

    def _event(self, span: Span, name: str, at: float | None, known: Attributes | None = None) -> None:
        """Add an event, if it happened."""
        if at is not None:
            span.add_event(name, bounded(known) if known else None, self._ns(at))

    def _ns(self, at: float) -> int:
        """Return the wall clock's nanoseconds of a time of the record."""
        record = self.record
        return round(record.wall_began * NS) + round((at - record.began) * NS)


def _identity(record: TurnRecord) -> Attributes:
    return {names.CONVERSATION: record.request.session_id, names.TENANT: record.tenant}


def _outcome(record: TurnRecord, report: TurnReport | None, ending: str) -> Attributes:
    """Return the attributes of the turn that the call's span shows too."""
    outcome = _identity(record) | {names.ENDING: ending}
    if record.request.request_id:
        outcome[names.REQUEST_ID] = record.request.request_id
    if report is not None:
        outcome |= attributes.of_report(report)
        outcome[names.ATTEMPTS] = report.attempts
    return outcome
