"""One attempt upstream: its `chat {model}` span, its phases, its measurements.

Owns what is seen of an attempt. Must never know why there is another one. The rule that would be broken
first: what was said is shown only where the operator asked for it.
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
from service.telemetry.signals import signals

UNDERSTOOD = frozenset({"gap", "foreign", "behind_the_end", "contradiction"})
"""What was ignored although it was understood. All else is of a kind unknown here, and may have any name."""


class Heard(Protocol):
    """What an exchange knows of its answer, at any time."""

    @property
    def usage(self) -> Usage | None: ...
    @property
    def ignored(self) -> Mapping[str, int]: ...


class Chat:
    """From the moment before the request is written to the end of the attempt, whatever that is."""

    def __init__(self, request: CompletionRequest, report: TurnReport, heard: Heard, number: int) -> None:
        self._now = signals()
        self._heard = heard
        operation = attributes.of_operation(request)
        self._labels = operation | {names.REQUEST_MODEL: self._now.model(request.model)}
        self._began = self._sent_at = time.perf_counter()
        self.ended = False
        self._waited_s: float | None = None
        # What is learned on the way is shown when the span ends: each call on a span is dear.
        self._learned: attributes.Attributes = {}
        self.span = self._now.tracer.start_span(
            f"{names.SPAN_CHAT} {request.model}",
            kind=SpanKind.CLIENT,
            attributes=operation | self._known(request, report, number) if self._now.tracing else None,
        )
        if self._now.capture.shown and self.span.is_recording():
            self._show(content.asked(request))

    @property
    def usage(self) -> Usage | None:
        return self._heard.usage

    def sent(self) -> None:
        self._sent_at = time.perf_counter()
        self.span.add_event(names.EVENT_SENT)

    def created(self, started: Started) -> None:
        self.span.add_event(names.EVENT_CREATED)
        self._learned[names.RESPONSE_ID] = started.response_id

    def first_content(self) -> None:
        # Told now, measured at the end: the caller waits for this very word.
        self._waited_s = time.perf_counter() - self._sent_at
        self.span.add_event(names.EVENT_FIRST_CONTENT)

    def completed(self, completed: Completed) -> None:
        self._learned |= attributes.of_answer(completed)
        if self._now.capture.shown and self.span.is_recording():
            self._show(content.answered(completed.message, completed.stop_reason))
        self.end(calls.OK)

    def end(self, ending: str, error: BaseException | None = None) -> None:
        """Once. `ending` is OK, or our word for why not."""
        if self.ended:
            return
        self.ended = True
        if ending != calls.OK:
            attributes.fail(self.span, ending, error)
        self.span.add_event(names.EVENT_TERMINAL, {names.ENDING: ending})
        if self._waited_s is not None:
            self._learned[names.TIME_TO_FIRST_CHUNK] = self._waited_s
            self._now.instruments.first_chunk.record(self._waited_s, self._labels)
        self._tell_heard()
        self.span.set_attributes(self._learned)
        self.span.end()
        failed = {names.ERROR_TYPE: ending} if ending != calls.OK else {}
        duration = time.perf_counter() - self._began
        self._now.instruments.operation_duration.record(duration, self._labels | failed)

    def _tell_heard(self) -> None:
        usage, ignored = self._heard.usage, self._heard.ignored
        if usage is not None:
            self._learned |= attributes.of_usage(usage)
            record = self._now.instruments.token_usage.record
            record(usage.input_tokens, self._labels | {names.TOKEN_TYPE: "input"})
            record(usage.output_tokens, self._labels | {names.TOKEN_TYPE: "output"})
        for kind, number in ignored.items():
            label = kind if kind in UNDERSTOOD else "unknown"
            self._now.instruments.ignored.add(number, {names.LABEL_KIND: label})
        if ignored:
            self._learned[names.IGNORED_EVENTS] = sorted(ignored)

    def _known(self, request: CompletionRequest, report: TurnReport, number: int) -> attributes.Attributes:
        host, port = self._now.upstream
        known = attributes.of_request(request) | attributes.of_report(report)
        return known | {names.SERVER_ADDRESS: host, names.SERVER_PORT: port, names.ATTEMPT: number}

    def _show(self, said: Mapping[str, str]) -> None:
        if self._now.capture.on_span:
            self.span.set_attributes(said)
        if self._now.capture.as_event:
            self.span.add_event(names.EVENT_DETAILS, said)
