"""A span of ours is told as the SDK would tell it."""

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


class Told:
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
def test_it_is_who_the_sdk_would_have_made_it(sampler, above):
    told = Told(sampler)
    ours = Span(told.tracer, "a", dict, SpanKind.SERVER, above).context
    with use_span(NonRecordingSpan(above)):
        theirs = told.provider.get_tracer("test").start_span("a", kind=SpanKind.SERVER).get_span_context()
    assert (ours.trace_flags, ours.trace_state, ours.is_remote) == (
        theirs.trace_flags,
        theirs.trace_state,
        theirs.is_remote,
    )
    assert ours.is_valid
    assert ours.span_id != above.span_id
    assert (ours.trace_id == above.trace_id) is above.is_valid is (theirs.trace_id == above.trace_id)


def test_everything_that_was_kept_is_told_with_the_time_at_which_it_was():
    told = Told()
    before = time.time_ns()
    span = Span(told.tracer, "chat x", lambda: {"model": "x", "n": 1}, SpanKind.CLIENT, ABOVE)
    span.event("sent")
    span.event("over", {"ending": "LOST"})
    span.attributes["n"] = 2
    span.links.append(UNSAMPLED)
    span.fail({"error.type": "LOST"})
    span.end()
    after = time.time_ns()
    assert told.spans == ()
    span.export()
    (seen,) = told.spans
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
    assert seen.resource == told.provider.resource
    assert seen.instrumentation_scope.name == "test"


def test_it_hangs_below_the_current_one():
    told = Told()
    with use_span(NonRecordingSpan(ABOVE)):
        span = Span(told.tracer, "a", dict)
    assert span.parent == ABOVE


def test_its_facts_are_asked_for_once_and_only_when_needed():
    facts = Mock(return_value={})
    span = Span(Told().tracer, "a", facts)
    facts.assert_not_called()
    assert span.context is span.context
    span.export()
    facts.assert_called_once_with()


def test_what_is_not_sampled_is_not_told():
    told = Told(ALWAYS_OFF)
    span = Span(told.tracer, "a", dict)
    span.export()
    assert not span.sampled
    assert told.spans == ()


def test_without_a_tracer_it_is_nobody():
    span = Span(None, "a", lambda: pytest.fail("nobody asks"))
    span.event("x")
    span.export()
    assert span.context == INVALID_SPAN_CONTEXT
    assert not span.sampled


@pytest.mark.parametrize(("which", "of_event"), [("ATTRIBUTE", "abc"), ("SPAN_ATTRIBUTE", "abcdef")])
def test_texts_are_as_long_as_the_operator_wants_them(monkeypatch, which, of_event):
    monkeypatch.setenv(f"OTEL_{which}_VALUE_LENGTH_LIMIT", "3")
    told = Told()
    span = Span(told.tracer, "a", lambda: {"said": "abcdef", "n": 123456})
    span.event("x", {"said": "abcdef"})
    span.export()
    (seen,) = told.spans
    assert seen.attributes == {"said": "abc", "n": 123456}
    assert seen.events[0].attributes["said"] == of_event


def test_a_wall_clock_that_steps_back_makes_no_span_end_before_its_beginning(monkeypatch):
    span = Span(None, "a", dict)
    monkeypatch.setattr("service.telemetry.spans.time.time_ns", lambda: 0)
    span.event("sent")
    span.end()
    assert span.began <= span.events[0][2] <= span.ended < span.began + 60 * 10**9
