"""Spans of one thread: what is exported is what the SDK's own spans export."""

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    get_current_span,
)

from service.telemetry.light_spans import LightTracer
from service.telemetry.propagation import context_of

REMOTE = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "1")]))
UNSAMPLED = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0))
RANDOM = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(3))


class Counting(IdGenerator):
    """Ids in an order, the same for both."""

    def __init__(self) -> None:
        self._ids = itertools.count(1000)

    def generate_span_id(self) -> int:
        return next(self._ids)

    def generate_trace_id(self) -> int:
        return next(self._ids)


class Describing(Sampler):
    """A sampler that adds what it decided by, and records without exporting."""

    def should_sample(self, *_: object, **__: object) -> SamplingResult:
        return SamplingResult(Decision.RECORD_ONLY, {"decided": "by name"})

    def get_description(self) -> str:
        return "Describing"


def exported(say: Callable[[Tracer], object], sampler: Sampler, *, light: bool) -> object:
    """Let a tracer say something, and return the messages that are exported."""
    memory = InMemorySpanExporter()
    processor = SimpleSpanProcessor(memory)
    provider = TracerProvider(sampler, id_generator=Counting(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    say(LightTracer(provider, processor, "s") if light else provider.get_tracer("s"))
    return MessageToDict(encode_spans(memory.get_finished_spans()))


def everything(tracer: Tracer) -> None:
    span = tracer.start_span(
        "a", context_of(REMOTE), SpanKind.SERVER, {"s": "x", "n": 1}, [Link(RANDOM, {"k": "v"})], 10
    )
    child = tracer.start_span("b", context_of(span.get_span_context()), SpanKind.CLIENT, start_time=11)
    child.set_attribute("b", True)
    child.set_attributes({"f": 1.5, "list": ("a", "b"), "none": ()})
    child.add_event("e", {"x": 1}, 12)
    child.add_event("bare", timestamp=13)
    child.add_link(REMOTE)
    child.set_status(StatusCode.ERROR, "why")
    child.end(14)
    child.end(99)
    child.set_attribute("late", 1)
    child.set_attributes({"later": 2})
    child.add_event("late", timestamp=15)
    child.add_link(RANDOM)
    span.update_name("renamed")
    span.set_status(Status(StatusCode.OK))
    span.end(15)


def roots_and_parents(tracer: Tracer) -> None:
    for context in (Context(), context_of(REMOTE), context_of(UNSAMPLED), context_of(RANDOM)):
        tracer.start_span("a", context, start_time=1).end(2)


@pytest.mark.parametrize(
    "sampler", [ALWAYS_ON, ALWAYS_OFF, ParentBased(ALWAYS_ON), TraceIdRatioBased(0.5), Describing()]
)
@pytest.mark.parametrize("say", [everything, roots_and_parents])
def test_the_export_is_that_of_the_sdk(say, sampler):
    assert exported(say, sampler, light=True) == exported(say, sampler, light=False)


def test_a_span_that_is_not_sampled_has_ids_and_records_nothing():
    provider = TracerProvider(ALWAYS_OFF, shutdown_on_exit=False)
    span = LightTracer(provider, SimpleSpanProcessor(InMemorySpanExporter()), "s").start_span("a")
    assert isinstance(span, NonRecordingSpan)
    assert span.get_span_context().is_valid


def test_a_span_records_until_it_ends():
    memory = InMemorySpanExporter()
    tracer = LightTracer(TracerProvider(ALWAYS_ON, shutdown_on_exit=False), SimpleSpanProcessor(memory), "s")
    with contextlib.suppress(ValueError), tracer.start_as_current_span("a") as span:
        assert get_current_span() is span
        assert span.is_recording()
        raise ValueError("a secret of the prompt")
    assert not span.is_recording()
    found: Any
    (found,) = memory.get_finished_spans()
    assert found.status.status_code is StatusCode.ERROR
    assert found.start_time <= found.events[0].timestamp <= found.end_time
    assert found.events[0].attributes == {"exception.type": "ValueError"}
