"""Errors get public reasons, and hold on to nothing."""

import pytest

from service.domain.errors import Reason, TurnError, UpstreamDetail, Violation, forget_frames
from service.domain.failure_policy import POLICIES
from service.domain.report import LineState, SessionView


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_policy_and_a_public_name(reason):
    error = TurnError(reason, "it went wrong").public()
    assert POLICIES[error.reason].public is None
    assert error.retryable is POLICIES[reason].retryable


def test_the_public_error_keeps_everything_but_the_reason():
    detail = UpstreamDetail("previous_response_not_found", "invalid_request_error", 400, "req_1")
    violation = Violation("messages", "say more")
    error = TurnError(
        Reason.CHAIN_LOST, "lost", retryable=True, retry_after=2.5, upstream=detail, violations=(violation,)
    )
    public = error.public()
    assert public.reason is Reason.PROTOCOL_ERROR
    assert (public.message, public.retryable, public.retry_after) == ("lost", True, 2.5)
    assert public.upstream is detail
    assert public.violations == (violation,)
    assert repr(public) == "TurnError(PROTOCOL_ERROR, 'lost')"


@pytest.mark.parametrize(
    ("state", "live"),
    [(LineState.NONE, False), (LineState.DIALING, False), (LineState.IDLE, True), (LineState.BUSY, True)],
    ids=lambda value: value.value if isinstance(value, LineState) else None,
)
def test_a_session_is_live_while_its_connection_is_open(state, live):
    assert SessionView("s", state, 0, 0, 0, 0.0, 0.0).live is live


def fail():
    try:
        int("a")
    except ValueError as cause:
        raise TurnError(Reason.INTERNAL, "b") from cause


def test_an_error_forgets_its_frames_and_those_of_its_causes():
    with pytest.raises(TurnError) as caught:
        fail()
    error, cause = caught.value, caught.value.__cause__
    assert cause is not None
    assert cause.__traceback__ is not None
    context = error.__context__ = LookupError()
    context.__cause__ = error  # a ring must not hold it up
    context.__traceback__ = cause.__traceback__
    forget_frames(error)
    assert [one.__traceback__ for one in (error, cause, context)] == [None] * 3
