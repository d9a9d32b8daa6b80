"""Keep a span's data while it runs, and build the SDK's span after the call.

The SDK's own span locks, copies and validates at each attribute and event, while the caller waits. Here a
running span only appends references to lists, and takes ids and times. `export`, after the call has ended,
builds the SDK's read-only span and passes it to the SDK's processor. Sampling, ids, limits, batches and
export remain the SDK's. The price is that start and end have to be recorded here: a span begins and ends
when it did, not when it was exported.

`facts` are the attributes known from the beginning. They are computed when the sampling decision is needed,
which is when a child span, a header or the export asks for the span's ids; without a tracer, never.

Example: `chat` begins at 10.000 s, gets an event at 10.200 s and ends at 12.000 s; the call ends at 12.001
s. The span is built at 12.001 s with the times 10.000, 10.200 and 12.000. All three derive from the
monotonic clock plus the offset at the beginning, so a step of the wall clock cannot make a span end before
it began.
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
    """Identify spans by the sampler, ids and resource of `provider`; export them through `processor`.

    Of the SDK's limits only the lengths of texts apply, since these spans have few attributes and events.
    They can lower the lengths in `bounds`, not raise them.
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
        """Return the ids of a new span and the decision whether it is sampled."""
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
                _truncated(span.attributes, self._longest),
                [
                    Event(name, _truncated(attributes, self._longest_event), at)
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
    """A span that begins now, as a child of `parent` or else of the current span.

    `facts` returns the attributes known from the beginning; it is called at most once, as late as possible.
    Without a tracer nothing is exported.
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
        # The wall clock may step while the span runs, so later times are measured from its beginning.
        self._offset = self.began - time.monotonic_ns()

    def __repr__(self) -> str:
        return f"Span({self.name}, {'over' if self.ended else 'running'})"

    @property
    def context(self) -> SpanContext:
        """The span's ids. Needed while it runs by children: other spans and requests upstream."""
        if self._context is None:
            self._identify()
        assert self._context is not None
        return self._context

    @property
    def sampled(self) -> bool:
        """Whether the span will be exported."""
        return self.context.trace_flags.sampled

    def event(self, name: str, attributes: Mapping[str, AttributeValue] = {}) -> None:
        self.events.append((name, attributes, time.monotonic_ns() + self._offset))

    def fail(self, why: Attributes) -> None:
        """Mark the span as an error with these attributes."""
        self.failed = True
        self.attributes |= why

    def end(self) -> None:
        """Set the end time. The span is still to be exported."""
        self.ended = time.monotonic_ns() + self._offset

    def export(self) -> None:
        """Pass the span to the exporter, ended now unless it was. Call it once."""
        if not self.ended:
            self.end()
        if self._tracer is not None and self.sampled:
            self._tracer.export(self)

    def _identify(self) -> None:
        facts, self._facts = self._facts, None  # their owner may refer to the span: break the cycle
        if self._tracer is None:
            self._context = INVALID_SPAN_CONTEXT
            return
        assert facts is not None
        # Attributes set meanwhile override the initial ones.
        self.attributes = facts() | self.attributes
        self._context = self._tracer.identify(self.name, self.kind, self.parent, self.attributes)


def _truncated(attributes: Mapping[str, AttributeValue], longest: int | None) -> Mapping[str, AttributeValue]:
    most = SHOWN_CHARACTERS if longest is None else min(longest, SHOWN_CHARACTERS)
    if not any(type(value) is str and len(value) > most for value in attributes.values()):
        return attributes
    return {
        name: _truncated_text(name, value, longest) if isinstance(value, str) else value
        for name, value in attributes.items()
    }


def _truncated_text(name: str, text: str, longest: int | None) -> str:
    text = truncate(text, CONTENT_CHARACTERS if name in names.CONTENT else SHOWN_CHARACTERS)
    return text if longest is None else text[:longest]
