"""Test that a span is exported as the SDK would export it."""

import time
from unittest.mock import Mock

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    use_span,
)

from service.telemetry.spans import Span, Tracer

ABOVE = SpanContext(7, 8, True, TraceFlags(TraceFlags.SAMPLED), TraceState([("vendor", "1")]))
UNSAMPLED = SpanContext(7, 8, True, TraceFlags(0))


class Exported:
    def __init__(self, sampler=ALWAYS_ON):
        self._kept = InMemorySpanExporter()
        processor = SimpleSpanProcessor(self._kept)
        self.provider = TracerProvider(sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(processor)
        self.tracer = Tracer(self.provider, processor, "test")

    @property
    def spans(self):
        return self._kept.get_finished_spans()


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF, ParentBased(ALWAYS_ON), TraceIdRatioBased(1.0)])
@pytest.mark.parametrize("above", [INVALID_SPAN_CONTEXT, ABOVE, UNSAMPLED])
def test_ids_and_flags_equal_those_of_the_sdk(sampler, above):
    exported = Exported(sampler)
    ours = Span(exported.tracer, "a", dict, SpanKind.SERVER, above).context
    with use_span(NonRecordingSpan(above)):
        theirs = exported.provider.get_tracer("test").start_span("a", kind=SpanKind.SERVER).get_span_context()
    assert (ours.trace_flags, ours.trace_state, ours.is_remote) == (
        theirs.trace_flags,
        theirs.trace_state,
        theirs.is_remote,
    )
    assert ours.is_valid
    assert ours.span_id != above.span_id
    assert (ours.trace_id == above.trace_id) is above.is_valid is (theirs.trace_id == above.trace_id)


def test_everything_is_exported_with_its_own_time():
    exported = Exported()
    before = time.time_ns()
    span = Span(exported.tracer, "chat x", lambda: {"model": "x", "n": 1}, SpanKind.CLIENT, ABOVE)
    span.event("sent")
    span.event("over", {"ending": "LOST"})
    span.attributes["n"] = 2
    span.links.append(UNSAMPLED)
    span.fail({"error.type": "LOST"})
    span.end()
    after = time.time_ns()
    assert exported.spans == ()
    span.export()
    (seen,) = exported.spans
    assert (seen.name, seen.kind, seen.parent, seen.context) == (
        "chat x",
        SpanKind.CLIENT,
        ABOVE,
        span.context,
    )
    assert seen.attributes == {"model": "x", "n": 2, "error.type": "LOST"}
    assert [(event.name, event.attributes) for event in seen.events] == [
        ("sent", {}),
        ("over", {"ending": "LOST"}),
    ]
    assert [link.context for link in seen.links] == [UNSAMPLED]
    assert seen.status.status_code is StatusCode.ERROR
    times = [before, seen.start_time, *(event.timestamp for event in seen.events), seen.end_time, after]
    assert times == sorted(times)
    assert seen.resource == exported.provider.resource
    assert seen.instrumentation_scope.name == "test"


def test_a_span_is_a_child_of_the_current_span():
    exported = Exported()
    with use_span(NonRecordingSpan(ABOVE)):
        span = Span(exported.tracer, "a", dict)
    assert span.parent == ABOVE


def test_facts_are_computed_once_and_only_when_needed():
    facts = Mock(return_value={})
    span = Span(Exported().tracer, "a", facts)
    facts.assert_not_called()
    assert span.context is span.context
    span.export()
    facts.assert_called_once_with()


def test_a_span_that_is_not_sampled_is_not_exported():
    exported = Exported(ALWAYS_OFF)
    span = Span(exported.tracer, "a", dict)
    span.export()
    assert not span.sampled
    assert exported.spans == ()


def test_without_a_tracer_the_context_is_invalid():
    span = Span(None, "a", lambda: pytest.fail("nobody asks"))
    span.event("x")
    span.export()
    assert span.context == INVALID_SPAN_CONTEXT
    assert not span.sampled


@pytest.mark.parametrize(("which", "of_event"), [("ATTRIBUTE", "abc"), ("SPAN_ATTRIBUTE", "abcdef")])
def test_the_sdk_limits_of_text_lengths_apply(monkeypatch, which, of_event):
    monkeypatch.setenv(f"OTEL_{which}_VALUE_LENGTH_LIMIT", "3")
    exported = Exported()
    span = Span(exported.tracer, "a", lambda: {"said": "abcdef", "n": 123456})
    span.event("x", {"said": "abcdef"})
    span.export()
    (seen,) = exported.spans
    assert seen.attributes == {"said": "abc", "n": 123456}
    assert seen.events[0].attributes["said"] == of_event


def test_a_wall_clock_step_never_reverses_a_span(monkeypatch):
    span = Span(None, "a", dict)
    monkeypatch.setattr("service.telemetry.spans.time.time_ns", lambda: 0)
    span.event("sent")
    span.end()
    assert span.began <= span.events[0][2] <= span.ended < span.began + 60 * 10**9
