"""Spans while they last, and how they are told: `Tracer` and `Span`.

Owns what is kept of a span: ids, times, references. Must never build anything before somebody needs it. The
rule that would be broken first: a span begins and ends when it did, not when it was told.

Sampling, ids, batches and export are the SDK's, and so is the shape in which a span is told. Its own running
span is not used: it locks, copies and checks with each attribute, while a caller waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from service.telemetry import names
from service.telemetry.attributes import Attributes
from service.telemetry.bounds import CONTENT_CHARACTERS, SHOWN_CHARACTERS, truncate

UNSET = Status(StatusCode.UNSET)
ERROR = Status(StatusCode.ERROR)


class Tracer:
    """Tells `processor`, by the sampler, the ids, the resource and the limits of `provider`.

    Of the limits only those of a text's length: spans of ours have few attributes and events. Without any, a
    text is as long as `bounds` lets it be.
    """

    def __init__(self, provider: TracerProvider, processor: SpanProcessor, scope: str) -> None:
        limits = SpanLimits()
        self._sampler = provider.sampler
        self._ids = provider.id_generator
        self._resource = provider.resource
        self._scope = InstrumentationScope(scope)
        self._processor = processor
        self._longest = limits.max_span_attribute_length
        self._longest_event = limits.max_attribute_length

    def identify(self, name: str, kind: SpanKind, parent: SpanContext, facts: Attributes) -> SpanContext:
        """The ids of a new span, and whether it is sampled: that is decided here, once."""
        ids = self._ids
        known = parent.is_valid
        trace_id = parent.trace_id if known else ids.generate_trace_id()
        above = set_span_in_context(NonRecordingSpan(parent), Context()) if known else Context()
        result = self._sampler.should_sample(above, trace_id, name, kind, facts)
        flags = TraceFlags.SAMPLED if result.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        if parent.trace_flags.random_trace_id if known else ids.is_trace_id_random():
            flags |= TraceFlags.RANDOM_TRACE_ID
        span_id = ids.generate_span_id()
        return SpanContext(trace_id, span_id, False, TraceFlags(flags), result.trace_state)

    def export(self, span: Span) -> None:
        parent = span.parent
        self._processor.on_end(
            ReadableSpan(
                truncate(span.name),
                span.context,
                parent if parent.is_valid else None,
                self._resource,
                _cut(span.attributes, self._longest),
                [
                    Event(name, _cut(attributes, self._longest_event), at)
                    for name, attributes, at in span.events
                ],
                [Link(to) for to in span.links],
                span.kind,
                None,
                ERROR if span.failed else UNSET,
                span.began,
                span.ended,
                self._scope,
            )
        )


class Span:
    """Begins now, below `parent`, or else below the span that is current.

    `facts` gives the attributes that are known from the beginning, once, as late as it can. Without a tracer
    nothing is kept for long, and nothing told.
    """

    __slots__ = (
        "_context",
        "_facts",
        "_offset",
        "_tracer",
        "attributes",
        "began",
        "ended",
        "events",
        "failed",
        "kind",
        "links",
        "name",
        "parent",
    )

    def __init__(
        self,
        tracer: Tracer | None,
        name: str,
        facts: Callable[[], Attributes],
        kind: SpanKind = SpanKind.INTERNAL,
        parent: SpanContext | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent or get_current_span().get_span_context()
        self.attributes: Attributes = {}
        self.events: list[tuple[str, Mapping[str, AttributeValue], int]] = []
        self.links: list[SpanContext] = []
        self.failed = False
        self.ended = 0
        self._tracer = tracer
        self._facts: Callable[[], Attributes] | None = facts
        self._context: SpanContext | None = None
        self.began = time.time_ns()
        # The wall clock may step while the span lasts; what happens within it is timed from its beginning.
        self._offset = self.began - time.monotonic_ns()

    def __repr__(self) -> str:
        return f"Span({self.name}, {'over' if self.ended else 'running'})"

    @property
    def context(self) -> SpanContext:
        """Who the span is. Asked for while it lasts by what is told below it: another span, the upstream."""
        if self._context is None:
            self._identify()
        assert self._context is not None
        return self._context

    @property
    def sampled(self) -> bool:
        """Somebody will see it."""
        return self.context.trace_flags.sampled

    def event(self, name: str, attributes: Mapping[str, AttributeValue] = {}) -> None:
        self.events.append((name, attributes, time.monotonic_ns() + self._offset))

    def fail(self, why: Attributes) -> None:
        """It will be a red one."""
        self.failed = True
        self.attributes |= why

    def end(self) -> None:
        """Nothing more happens within it. It is still to be told."""
        self.ended = time.monotonic_ns() + self._offset

    def export(self) -> None:
        """Hands it on, ended now if it was not. Once."""
        if not self.ended:
            self.end()
        if self._tracer is not None and self.sampled:
            self._tracer.export(self)

    def _identify(self) -> None:
        facts, self._facts = self._facts, None  # whoever gives them may hold the span: no cycle is left
        if self._tracer is None:
            self._context = INVALID_SPAN_CONTEXT
            return
        assert facts is not None
        # What was learned meanwhile goes before what was known.
        self.attributes = facts() | self.attributes
        self._context = self._tracer.identify(self.name, self.kind, self.parent, self.attributes)


def _cut(attributes: Mapping[str, AttributeValue], longest: int | None) -> Mapping[str, AttributeValue]:
    most = SHOWN_CHARACTERS if longest is None else min(longest, SHOWN_CHARACTERS)
    if not any(type(value) is str and len(value) > most for value in attributes.values()):
        return attributes
    return {
        name: _cut_text(name, value, longest) if isinstance(value, str) else value
        for name, value in attributes.items()
    }


def _cut_text(name: str, text: str, longest: int | None) -> str:
    text = truncate(text, CONTENT_CHARACTERS if name in names.CONTENT else SHOWN_CHARACTERS)
    return text if longest is None else text[:longest]
