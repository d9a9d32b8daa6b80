"""What the report of a turn says at each step, with a clock that only the test moves."""

from typing import Any
from unittest.mock import Mock

import pytest

from service.domain.events import Completed, Started, StopReason, TextDelta, Usage
from service.domain.messages import Message, Role, TextPart, Transport
from service.domain.replay import Signal
from service.domain.report import TransportReason, TurnReport
from service.sessions import turn_record

STARTED = Started("resp_1", "gpt-1", 1.0)
DELTA = TextDelta(0, "hi")
COMPLETED = Completed(
    "resp_1",
    "gpt-1",
    1.0,
    Message(Role.ASSISTANT, (TextPart("hi"),)),
    StopReason.STOP,
    Usage(),
    continuable=True,
)


def record(clock, wish=Transport.AUTO) -> Any:
    clock.now += 0.5
    return turn_record.TurnRecord("t1", wish, Mock(), clock=clock, started_at=clock.now - 0.5)


@pytest.mark.parametrize(
    ("wish", "transport", "reason"),
    [
        (Transport.AUTO, Transport.WEBSOCKET, TransportReason.PREFERRED),
        (Transport.WEBSOCKET, Transport.WEBSOCKET, TransportReason.REQUESTED),
        (Transport.SSE, Transport.SSE, TransportReason.REQUESTED),
    ],
)
def test_a_turn_begins_with_the_transport_of_its_caller(clock, wish, transport, reason):
    report = record(clock, wish).report()
    assert (report.transport, report.transport_reason) == (transport, reason)
    assert (report.attempts, report.context_reason, report.timings.first_event) == (0, None, None)


def test_times_count_from_the_start_of_the_turn(clock):
    turn = record(clock)
    turn.progress.advance(Signal.DISPATCH)
    for event in (STARTED, DELTA, DELTA, COMPLETED):
        clock.now += 1
        turn.admit(event)
    timings = turn.report().timings
    assert (timings.queue, timings.first_event, timings.first_content) == (0.5, 1.5, 2.5)
    assert timings.total == 4.5


def test_a_second_start_is_hidden_from_the_caller(clock):
    turn = record(clock)
    turn.progress.advance(Signal.DISPATCH)
    assert [turn.admit(event) for event in (STARTED, STARTED, DELTA)] == [True, False, True]


def test_only_a_completed_turn_is_completed(clock):
    turn = record(clock)
    assert (turn.dispatched, turn.completed) == (False, False)
    turn.progress.advance(Signal.DISPATCH)
    turn.admit(STARTED)
    assert (turn.dispatched, turn.completed) == (True, False)
    turn.admit(COMPLETED)
    assert turn.completed
    assert turn.report().response_id == "resp_1"


def test_a_fallback_reports_sse_and_its_reason(clock):
    turn = record(clock)
    turn.fell_back(TransportReason.TOO_BIG)
    report = turn.report()
    assert (report.transport, report.transport_reason) == (Transport.SSE, TransportReason.TOO_BIG)
    assert not report.connection_reused


def test_an_earlier_attempt_may_be_what_is_reported(clock):
    turn = record(clock)
    turn.progress.advance(Signal.DISPATCH)
    earlier = TurnReport(
        "t1", Transport.WEBSOCKET, TransportReason.PREFERRED, "resp_0", connection_reused=True, bytes_sent=7
    )
    turn.fell_back(TransportReason.CONNECTION_LOST)
    turn.revert_to(earlier)
    report = turn.report()
    assert (report.transport, report.response_id, report.bytes_sent) == (Transport.WEBSOCKET, "resp_0", 7)
    assert (report.connection_reused, report.attempts) == (True, 1)
