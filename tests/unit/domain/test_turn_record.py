"""What the report of a turn says at each step, with a clock that only the test moves."""

from types import SimpleNamespace
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Started, StopReason, TextDelta, Usage
from service.domain.history import full_plan
from service.domain.messages import CompletionRequest, Message, Options, Role, TextPart, Transport
from service.domain.phases import Acquisition, Attempt
from service.domain.plan import ContextReason
from service.domain.replay import Signal
from service.domain.report import Peer, TransportReason, TurnReport, UpstreamReason
from service.domain.turn_record import TurnRecord

WALL = 1_790_000_000.0
LOST = TurnError(Reason.CONNECTION_LOST, "gone")
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


def record(clock, wish=Transport.AUTO) -> TurnRecord:
    turn = TurnRecord(
        "one", CompletionRequest("s", "m", (), options=Options(transport=wish)), clock, lambda: WALL
    )
    clock.now += 0.5
    turn.admitted("t1")
    return turn


def response(**facts: Any) -> Any:
    """Return what an exchange says of itself before its request is written."""
    plan = full_plan((), ContextReason.FIRST_TURN)
    known = {
        "plan": plan,
        "dispatched": False,
        "sent_at": None,
        "bytes_sent": 12,
        "bytes_saved": 3,
        "ignored": {},
    }
    return SimpleNamespace(**known | facts)


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


@pytest.mark.parametrize("allowed", [Transport.WEBSOCKET, Transport.SSE])
def test_the_operator_may_allow_one_transport_only(clock, allowed):
    turn = record(clock)
    turn.sent_to(Peer("", "host", 1, allowed))
    assert (turn.transport, turn.report().transport_reason) == (allowed, TransportReason.CONFIGURED)
    assert turn.forced is (allowed is Transport.WEBSOCKET)
    wished = record(clock, allowed)
    wished.sent_to(Peer("", "host", 1, allowed))
    assert wished.report().transport_reason is TransportReason.REQUESTED


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
    assert (turn.dispatched, turn.completed) == (False, None)
    turn.progress.advance(Signal.DISPATCH)
    turn.admit(STARTED)
    assert (turn.dispatched, turn.completed) == (True, None)
    turn.admit(COMPLETED)
    assert turn.completed is COMPLETED
    assert turn.report().response_id == "resp_1"
    assert repr(turn) == "TurnRecord(Progress(done, 1 dispatched), websocket)"


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


def test_at_another_upstream_the_transport_is_chosen_again(clock):
    moved = record(clock)
    a, b = Peer("a", "host", 1), Peer("b", "host", 2)
    moved.sent_to(a, UpstreamReason.PREFERRED)
    moved.fell_back(TransportReason.CONNECT_FAILED)
    earlier = moved.report()
    moved.moved(b, UpstreamReason.CONNECT_FAILED)
    assert (moved.transport, moved.report().transport_reason) == (
        Transport.WEBSOCKET,
        TransportReason.PREFERRED,
    )
    assert (moved.report().upstream, moved.report().upstream_reason) == (b, UpstreamReason.CONNECT_FAILED)
    assert moved.failovers == [(a, UpstreamReason.CONNECT_FAILED)]
    moved.revert_to(earlier)
    assert (moved.report().upstream, moved.report().upstream_reason) == (a, UpstreamReason.PREFERRED)


def test_the_phases_of_a_turn_that_is_sent_twice(clock):
    turn = record(clock)
    for number, reused in enumerate([True, False], 1):
        clock.now += 1
        turn.asked()
        clock.now += 1
        turn.leased(reused=reused, connect_s=0.0 if reused else 1.0, dial=None if reused else "dial")
        exchange = response()
        turn.planned(exchange)
        exchange.dispatched = True
        turn.dispatch(exchange)
        turn.dispatch(exchange)
        assert turn.report().attempts == number
        clock.now += 1
        if number == 1:
            turn.failed(LOST)
            turn.replayed(LOST)
    turn.admit(STARTED)
    turn.admit(DELTA)
    clock.now += 1
    turn.admit(COMPLETED)
    turn.end(None)

    kinds = [type(phase) for phase in turn.phases]
    assert kinds == [Acquisition, Attempt, Acquisition, Attempt]
    began = [phase.began - turn.began for phase in turn.phases]
    ended = [(phase.ended or 0) - turn.began for phase in turn.phases]
    assert (began, ended) == ([0.0, 2.5, 4.5, 5.5], [2.5, 3.5, 5.5, 7.5])
    assert [phase.error for phase in turn.phases] == [None, LOST, None, None]
    assert turn.replays == [Reason.CONNECTION_LOST]
    first, second = turn.phases[0], turn.phases[2]
    assert isinstance(first, Acquisition)
    assert isinstance(second, Acquisition)
    assert (first.reused, first.dial, second.reused, second.dial) == (True, None, False, "dial")
    assert (first.admitted_at, second.admitted_at) == (turn.began + 0.5, None)
    assert turn.report().timings.connect == 1.0


def test_a_turn_that_ends_early_ends_its_last_phase_with_the_error(clock):
    turn = record(clock)
    turn.planned(response())
    error = RuntimeError("bug")
    turn.end(error)
    clock.now += 5
    assert (turn.error, turn.phases[-1].error) == (error, error)
    assert turn.phases[-1].ended == turn.ended
    assert turn.report().timings.total == 0.5, "it does not grow after the end"


def test_what_fails_after_the_answer_is_no_failure_of_the_attempt(clock):
    turn = record(clock)
    turn.planned(response())
    turn.progress.advance(Signal.DISPATCH)
    for event in (STARTED, COMPLETED):
        turn.admit(event)
    turn.end(RuntimeError("late"))
    assert turn.phases[-1].error is None


def test_nothing_counts_as_sent_before_the_upstream_may_have_read_it(clock):
    turn = record(clock)
    exchange = response()
    turn.planned(exchange)
    turn.dispatch(exchange)
    assert not turn.dispatched


def test_the_report_counts_what_nobody_understood(clock):
    turn = record(clock)
    exchange = response()
    turn.planned(exchange)
    assert turn.report().ignored_events == ()
    exchange.ignored = {"response.telepathy": 2, "foreign": 1}
    assert turn.report().ignored_events == (("foreign", 1), ("response.telepathy", 2))


def test_a_turn_that_runs_is_shown_to_its_owner(clock):
    turn = record(clock)
    turn.admitted("turn_1")
    view = turn.view(7)
    assert (view.turn_id, view.turn_key, view.last_sequence) == ("turn_1", "", 7)
    assert (view.started_at, view.attached, view.ended) == (turn.wall_began, True, False)


def test_the_tokens_of_all_requests_count(clock):
    turn = record(clock)
    assert turn.tokens == 0
    turn.warmed_up(None)
    turn.warmed_up(Usage(total_tokens=1))
    for usage in (Usage(total_tokens=20), None, Usage(total_tokens=300)):
        turn.asked()
        exchange = response()
        exchange.usage = usage
        turn.planned(exchange)
        turn.failed(LOST)
    assert turn.tokens == 321
