import pytest

from service.telemetry import calls
from service.telemetry.calls import Call
from service.telemetry.spans import Span


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
    call = Call(Span(None, "call", dict), {})
    call.due_in(deadline)
    now[0] += passed
    assert call.cut_off() == word


def test_the_status_of_a_cut_off_call_never_changes(now):
    call = Call(Span(None, "call", dict), {})
    call.due_in(10.0)
    assert call.cut_off() == "CANCELLED"
    now[0] += 20
    assert call.cut_off() == "CANCELLED"


def test_outside_of_a_call_there_is_none():
    assert calls.current() is None
    calls.failed("INTERNAL")


def test_callbacks_after_a_call_do_not_lengthen_its_span():
    span = Span(None, "call", dict)
    call = Call(span, {})
    reported = []
    call.on_end(lambda: reported.append(span.ended))
    call.end("OK")
    assert reported == [span.ended]
    assert call.span is None
