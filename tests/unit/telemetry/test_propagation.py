from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext, TraceFlags, TraceState, get_current_span

from service.telemetry.propagation import context_of, headers, remote_parent

TRACE = "00-0000000000000000000000000000000a-000000000000000b-01"


def test_the_callers_trace_is_read():
    parent = remote_parent((("x", "y"), ("traceparent", TRACE), ("tracestate", "vendor=1")))
    assert (parent.trace_id, parent.span_id, parent.is_remote) == (10, 11, True)
    assert parent.trace_state["vendor"] == "1"


def test_unreadable_metadata_is_no_trace():
    for metadata in ((), (("traceparent", "nonsense"),), (("traceparent", TRACE.encode()),)):
        assert not remote_parent(metadata).is_valid


def test_a_span_becomes_the_headers_of_a_request():
    span = SpanContext(10, 11, False, TraceFlags(1), TraceState([("vendor", "1")]))
    assert headers(span) == {"traceparent": TRACE, "tracestate": "vendor=1"}


def test_no_span_means_no_headers():
    assert headers(INVALID_SPAN_CONTEXT) == {}


def test_the_callers_baggage_never_goes_upstream():
    parent = remote_parent((("traceparent", TRACE), ("baggage", "user=s3cret")))
    assert set(headers(parent)) == {"traceparent"}


def test_a_context_holds_the_ids_of_a_span_and_nothing_else():
    span = SpanContext(10, 11, False)
    context = context_of(span)
    assert get_current_span(context).get_span_context() is span
    assert len(context) == 1
