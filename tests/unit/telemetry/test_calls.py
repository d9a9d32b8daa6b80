import pytest
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    get_current_span,
)

from service.telemetry import calls, names
from service.telemetry.calls import Call
from service.telemetry.telemetry import OFF
from tests.watching import watching

LABELS = {names.RPC_METHOD: "a.B/C"}


def a_call(telemetry=OFF):
    return Call(telemetry, LABELS, {}, INVALID_SPAN_CONTEXT)


@pytest.fixture
def now(monkeypatch):
    """A clock that the test sets."""
    time = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: time[0])
    return time


@pytest.mark.parametrize(
    ("deadline", "passed", "word"),
    [
        (None, 1e9, "CANCELLED"),
        (10.0, 5.0, "CANCELLED"),
        (10.0, 9.7, "CANCELLED"),
        (10.0, 9.9, "DEADLINE_EXCEEDED"),
        (10.0, 11.0, "DEADLINE_EXCEEDED"),
        (0.05, 0.0, "DEADLINE_EXCEEDED"),
        (1000.0, 989.0, "CANCELLED"),
        (1000.0, 990.0, "DEADLINE_EXCEEDED"),
    ],
)
def test_a_cancellation_close_to_the_deadline_counts_as_the_deadline(now, deadline, passed, word):
    call = a_call()
    call.due_in(deadline)
    now[0] += passed
    assert call.cut_off() == word


def test_the_status_of_a_cut_off_call_never_changes(now):
    call = a_call()
    call.due_in(10.0)
    assert call.cut_off() == "CANCELLED"
    now[0] += 20
    assert call.cut_off() == "CANCELLED"


def test_outside_of_a_call_there_is_none():
    assert calls.current() is None
    calls.failed("INTERNAL")


def test_a_call_is_a_span_with_its_status():
    parent = SpanContext(7, 8, True, TraceFlags(TraceFlags.SAMPLED))
    with watching() as seen:
        call = Call(seen.telemetry, LABELS, {"x": 1}, parent)
        call.annotate({"y": "z" * 300})
        call.end("INTERNAL")
        (span,) = seen.spans
        assert seen.count(names.RPC_SERVER_CALL_DURATION, rpc__method="a.B/C", error__type="INTERNAL") == 1
    assert (span.name, span.kind, span.parent, span.context.trace_id) == ("a.B/C", SpanKind.SERVER, parent, 7)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes["x"], len(span.attributes["y"])) == (1, 256)
    assert span.attributes[names.RPC_STATUS] == "INTERNAL"
    assert get_current_span(call.context).get_span_context() == span.context


def test_callbacks_run_before_the_span_is_exported_and_do_not_lengthen_it(now):
    with watching() as seen:
        call = a_call(seen.telemetry)
        now[0] += 1

        def callback():
            assert (seen.spans, call.recording) == ([], True)
            call.annotate({"late": True})
            now[0] += 10

        call.on_end(callback)
        call.end("OK")
        (span,) = seen.spans
    assert span.end_time - span.start_time == 10**9
    assert span.attributes["late"] is True
    assert not call.recording


def test_the_wall_clock_cannot_reverse_a_call(now, monkeypatch):
    with watching() as seen:
        call = a_call(seen.telemetry)
        monkeypatch.setattr("time.time_ns", lambda: 0)
        call.end("OK")
        (span,) = seen.spans
    assert span.end_time >= span.start_time


def test_a_call_of_unknown_status_has_no_duration():
    with watching() as seen:
        a_call(seen.telemetry).end("")
        assert names.RPC_STATUS not in seen.spans[0].attributes
        assert seen.points(names.RPC_SERVER_CALL_DURATION) == {}


def test_what_a_turn_that_outlives_its_call_does_at_its_end_happens_then(now):
    call = a_call()
    call.due_in(10.0)
    call.end("ABORTED")
    now[0] += 20
    done = []
    call.on_end(lambda: done.append(call.cut_off()))
    assert done == ["CANCELLED"]  # it was not the deadline that ended the call
