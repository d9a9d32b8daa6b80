"""The taxonomy is total, and what is between us and the upstream goes by a public name."""

import pytest

from service.domain.errors import RULES, Fault, Reason, TurnError, UpstreamDetail, Violation, forget_frames
from service.domain.report import LineState, SessionView


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_rule_and_a_public_name(reason):
    error = TurnError(reason, "it went wrong").told()
    assert RULES[error.reason].told_as is None
    assert error.retryable is RULES[reason].retryable


def test_only_a_bug_of_ours_or_a_setting_of_ours_is_the_service_s_fault():
    ours = {reason for reason, rule in RULES.items() if rule.fault is Fault.SERVICE}
    assert ours == {
        Reason.UPSTREAM_AUTH,
        Reason.QUOTA_EXHAUSTED,
        Reason.OVERLOADED,
        Reason.SHUTTING_DOWN,
        Reason.INTERRUPTED,
        Reason.INTERNAL,
    }


def test_told_keeps_everything_but_the_name():
    detail = UpstreamDetail("previous_response_not_found", "invalid_request_error", 400, "req_1")
    violation = Violation("messages", "say more")
    error = TurnError(
        Reason.CHAIN_LOST, "lost", retryable=True, retry_after=2.5, upstream=detail, violations=(violation,)
    )
    told = error.told()
    assert told.reason is Reason.PROTOCOL_ERROR
    assert (told.message, told.retryable, told.retry_after) == ("lost", True, 2.5)
    assert told.upstream is detail
    assert told.violations == (violation,)
    assert repr(told) == "TurnError(PROTOCOL_ERROR, 'lost')"


@pytest.mark.parametrize(
    ("state", "live"),
    [(LineState.NONE, False), (LineState.DIALING, False), (LineState.IDLE, True), (LineState.BUSY, True)],
    ids=lambda value: value.value if isinstance(value, LineState) else None,
)
def test_a_session_lives_while_its_line_is_open(state, live):
    assert SessionView("s", state, 0, 0, 0, 0.0, 0.0).live is live


def fail():
    try:
        int("a")
    except ValueError as behind:
        raise TurnError(Reason.INTERNAL, "b") from behind


def test_an_error_lets_go_of_its_frames_and_of_those_behind_it():
    with pytest.raises(TurnError) as caught:
        fail()
    error, behind = caught.value, caught.value.__cause__
    assert behind is not None
    assert behind.__traceback__ is not None
    beside = error.__context__ = LookupError()
    beside.__cause__ = error  # a ring must not hold it up
    beside.__traceback__ = behind.__traceback__
    forget_frames(error)
    assert [one.__traceback__ for one in (error, behind, beside)] == [None] * 3
