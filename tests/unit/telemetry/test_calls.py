import pytest

from service.telemetry import calls
from service.telemetry.calls import Call
from service.telemetry.spans import Span


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still until told."""
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
def test_who_is_cut_off_close_to_the_deadline_has_met_it(now, deadline, passed, word):
    call = Call(Span(None, "call", dict), {})
    call.due_in(deadline)
    now[0] += passed
    assert call.cut_off() == word


def test_what_was_said_once_stays_true(now):
    call = Call(Span(None, "call", dict), {})
    call.due_in(10.0)
    assert call.cut_off() == "CANCELLED"
    now[0] += 20
    assert call.cut_off() == "CANCELLED"


def test_outside_of_a_call_there_is_none():
    assert calls.current() is None
    calls.failed("INTERNAL")


def test_what_is_told_behind_a_call_does_not_lengthen_it():
    span = Span(None, "call", dict)
    call = Call(span, {})
    told = []
    call.on_end(lambda: told.append(span.ended))
    call.end("OK")
    assert told == [span.ended]
    assert call.span is None
