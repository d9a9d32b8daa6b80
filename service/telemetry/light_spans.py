"""Make spans that one thread writes: `LightTracer`, in the place of the SDK's tracer.

A span of the SDK may be written by several threads and by anybody, so each attribute and event takes a lock
and is copied, cleaned and checked against limits. The service's spans are written by one thread, most of
them at once and after the call, with values whose types and lengths are bounded already
(`attributes.bounded`). So a `LightSpan` collects them as they are, and becomes the SDK's `ReadableSpan` when
it ends. Sampler, ids, resource, processors and exporters are the SDK's.

Example: the span of a turn with 25 attributes and 6 events. The SDK locks 12 times and makes a bounded,
cleaned dictionary of each set of attributes; this makes one dictionary and one `ReadableSpan`.

Where the environment sets one of the SDK's limits, `setup` takes the SDK's spans, which honour it. Measured
with `python -m bench.publication` (docs/decisions/0042-light-spans.md).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    use_span,
)
from opentelemetry.util.types import Attributes, AttributeValue

UNSET = Status(StatusCode.UNSET)


class LightSpan(Span):
    """Collect what a span says, for one thread. `end` passes it to the processor, and whatever is said after
    that is ignored: the exporter's thread reads it then.
    """

    __slots__ = (
        "_attributes",
        "_context",
        "_events",
        "_kind",
        "_links",
        "_name",
        "_open",
        "_parent",
        "_start_ns",
        "_status",
        "_tracer",
    )

    def __init__(  # noqa: PLR0917  all that a span begins with
        self,
        tracer: LightTracer,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link],
        start_ns: int,
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._context = context
        self._parent = parent
        self._kind = kind
        self._attributes: dict[str, AttributeValue] = dict(attributes) if attributes else {}
        self._events: list[Event] = []
        self._links = list(links)
        self._start_ns = start_ns
        self._status = UNSET
        self._open = True

    def __repr__(self) -> str:
        return f"LightSpan({self._name!r}, {len(self._attributes)} attributes)"

    def get_span_context(self) -> SpanContext:
        return self._context

    def is_recording(self) -> bool:
        return self._open

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        if self._open:
            self._attributes.update(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        if self._open:
            self._attributes[key] = value

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        if self._open:
            self._events.append(
                Event(name, attributes or {}, time.time_ns() if timestamp is None else timestamp)
            )

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        if self._open:
            self._links.append(Link(context, attributes))

    def update_name(self, name: str) -> None:
        self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        self._status = status if isinstance(status, Status) else Status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an event with the exception's type. Its message may repeat part of a prompt."""
        known = {"exception.type": type(exception).__qualname__, **(attributes or {})}
        self.add_event("exception", known, timestamp)

    def end(self, end_time: int | None = None) -> None:
        if self._open:
            self._open = False
            self._tracer.export(
                ReadableSpan(
                    self._name,
                    self._context,
                    self._parent,
                    self._tracer.provider.resource,
                    self._attributes,
                    self._events,
                    self._links,
                    self._kind,
                    status=self._status,
                    start_time=self._start_ns,
                    end_time=time.time_ns() if end_time is None else end_time,
                    instrumentation_scope=self._tracer.scope,
                )
            )


class LightTracer(Tracer):
    """Start spans with the provider's sampler, ids and resource, and end them in `processor`."""

    def __init__(self, provider: TracerProvider, processor: SpanProcessor, scope: str) -> None:
        self.provider = provider
        self.scope = InstrumentationScope(scope)
        self.export = processor.on_end

    def start_span(  # noqa: PLR0917  the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        provider, links = self.provider, links or ()
        ids = provider.id_generator
        above = get_current_span(context).get_span_context()
        parent = above if above.is_valid else None
        trace_id = ids.generate_trace_id() if parent is None else parent.trace_id
        sampled = provider.sampler.should_sample(context, trace_id, name, kind, attributes, links)
        flags = TraceFlags.SAMPLED if sampled.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        if ids.is_trace_id_random() if parent is None else parent.trace_flags.random_trace_id:
            flags |= TraceFlags.RANDOM_TRACE_ID
        own = SpanContext(
            trace_id,
            ids.generate_span_id(),
            is_remote=False,
            trace_flags=TraceFlags(flags),
            trace_state=sampled.trace_state,
        )
        if sampled.decision is Decision.DROP:
            return NonRecordingSpan(own)
        began = time.time_ns() if start_time is None else start_time
        return LightSpan(self, name, own, parent, kind, sampled.attributes, links, began)

    @contextmanager
    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0917  the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[Span]:
        span = self.start_span(name, context, kind, attributes, links, start_time)
        with use_span(
            span,
            end_on_exit,
            record_exception=record_exception,
            set_status_on_exception=set_status_on_exception,
        ):
            yield span
