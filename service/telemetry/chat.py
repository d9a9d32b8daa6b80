"""Record one attempt upstream: its `chat {model}` span, its phases and its measurements.

While the attempt runs only references and times are kept. `export` builds attributes and records measurements
after the call. Content is shown only if `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from opentelemetry.trace import SpanKind

from service.domain.events import Completed, Started, Usage
from service.domain.messages import CompletionRequest
from service.domain.report import TurnReport
from service.telemetry import attributes, calls, content, names
from service.telemetry.bounds import truncate
from service.telemetry.signals import signals
from service.telemetry.spans import Span

UNDERSTOOD = frozenset({"gap", "foreign", "behind_the_end", "contradiction"})
"""Known kinds of ignored events. Any other kind is the upstream's invention and counts as unknown."""


class ResponseFacts(Protocol):
    """What an exchange knows of the response so far."""

    @property
    def usage(self) -> Usage | None: ...
    @property
    def ignored(self) -> Mapping[str, int]: ...


class Chat:
    """One attempt, from the moment before the request is written to its end."""

    def __init__(
        self, request: CompletionRequest, report: TurnReport, response: ResponseFacts, number: int
    ) -> None:
        self._request = request
        self._report = report
        self._response = response
        self._number = number
        self._completed: Completed | None = None
        self._ending = calls.OK
        self._first_chunk_s: float | None = None
        self._began = self._sent_at = time.perf_counter()
        self._duration_s = 0.0
        name = f"{names.SPAN_CHAT} {truncate(request.model)}"
        self.span = Span(signals().tracer, name, self._initial_attributes, SpanKind.CLIENT)
        if signals().capture.as_event:
            self.span.event(names.EVENT_DETAILS, content.input_attributes(request))

    @property
    def usage(self) -> Usage | None:
        return self._response.usage

    @property
    def over(self) -> bool:
        return self.span.ended > 0

    def sent(self) -> None:
        """The request was written."""
        self._sent_at = time.perf_counter()
        self.span.event(names.EVENT_SENT)

    def created(self, started: Started) -> None:
        """The upstream began its response."""
        self.span.event(names.EVENT_CREATED)
        self.span.attributes[names.RESPONSE_ID] = started.response_id

    def first_content(self) -> None:
        """The first content arrived."""
        self._first_chunk_s = time.perf_counter() - self._sent_at
        self.span.event(names.EVENT_FIRST_CONTENT)

    def completed(self, completed: Completed) -> None:
        """The response is complete. Ends the attempt."""
        self._completed = completed
        if signals().capture.as_event:
            self.span.event(
                names.EVENT_DETAILS, content.output_attributes(completed.message, completed.stop_reason)
            )
        self.end(calls.OK)

    def end(self, ending: str, error: BaseException | None = None) -> None:
        """End the attempt. `ending` is OK or the reason. Later calls do nothing."""
        if self.over:
            return
        self._ending = ending
        if ending != calls.OK:
            self.span.fail(attributes.of_failure(ending, error))
        self.span.event(names.EVENT_TERMINAL, {names.ENDING: ending})
        self.span.end()
        self._duration_s = time.perf_counter() - self._began

    def export(self) -> None:
        """Export the span and record the measurements of an attempt that is over."""
        now = signals()
        if self.span.sampled:
            self.span.attributes |= self._final_attributes()
            self.span.export()
        labels = attributes.of_operation(self._request) | {
            names.REQUEST_MODEL: now.model(self._request.model)
        }
        if self._first_chunk_s is not None:
            now.instruments.first_chunk.record(self._first_chunk_s, labels)
        usage = self.usage
        if usage is not None:
            record = now.instruments.token_usage.record
            record(usage.input_tokens, labels | {names.TOKEN_TYPE: "input"})
            record(usage.output_tokens, labels | {names.TOKEN_TYPE: "output"})
        for kind, number in self._response.ignored.items():
            label = kind if kind in UNDERSTOOD else "unknown"
            now.instruments.ignored.add(number, {names.LABEL_KIND: label})
        failed = {names.ERROR_TYPE: self._ending} if self._ending != calls.OK else {}
        now.instruments.operation_duration.record(self._duration_s, labels | failed)

    def _initial_attributes(self) -> attributes.Attributes:
        now = signals()
        known = attributes.of_operation(self._request) | attributes.of_request(self._request)
        known |= attributes.of_report(self._report)
        known |= attributes.of_upstream(*now.upstream) | {names.ATTEMPT: self._number}
        return known | content.input_attributes(self._request) if now.capture.on_span else known

    def _final_attributes(self) -> attributes.Attributes:
        final: attributes.Attributes = {}
        if self._completed is not None:
            final |= attributes.of_answer(self._completed)
            if signals().capture.on_span:
                final |= content.output_attributes(self._completed.message, self._completed.stop_reason)
        if self._first_chunk_s is not None:
            final[names.TIME_TO_FIRST_CHUNK] = self._first_chunk_s
        if self.usage is not None:
            final |= attributes.of_usage(self.usage)
        if self._response.ignored:
            final[names.IGNORED_EVENTS] = tuple(sorted(self._response.ignored))
        return final
