"""How far a turn has come, and where it goes after a failure: every rule of the replay policy."""

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.failure_policy import POLICIES
from service.domain.messages import Transport
from service.domain.policy import Cause, Route
from service.domain.replay import (
    MAX_DISPATCHES,
    MAX_STALE_CONNECTIONS,
    TRANSITIONS,
    Progress,
    Signal,
    State,
)

REPLAYED = [reason for reason, policy in POLICIES.items() if policy.replay is not None]
LOSSES = [reason for reason in REPLAYED if POLICIES[reason].replay is Cause.LOSS]
WS, SSE = Transport.WEBSOCKET, Transport.SSE


def progress(*signals: Signal) -> Progress:
    made = Progress()
    for signal in signals:
        made.advance(signal)
    return made


def reroute(
    made: Progress,
    reason: Reason,
    *,
    dispatched=True,
    transport=WS,
    silent=False,
    forced=False,
    safe_only=False,
    retryable=None,
    retry_after=None,
    elsewhere=False,
):
    error = TurnError(reason, "it went wrong", retryable=retryable, retry_after=retry_after)
    return made.reroute(
        error,
        dispatched=dispatched,
        transport=transport,
        silent=silent,
        forced=forced,
        safe_only=safe_only,
        elsewhere=elsewhere,
    )


SENT = (Signal.DISPATCH,)
STARTED = (Signal.DISPATCH, Signal.START)
STREAMING = (Signal.DISPATCH, Signal.START, Signal.CONTENT)


def test_a_good_turn_passes_through_every_state():
    made = Progress()
    assert made.advance(Signal.DISPATCH)
    assert made.advance(Signal.START)
    assert made.advance(Signal.CONTENT)
    assert not made.advance(Signal.CONTENT)
    assert made.advance(Signal.COMPLETE)
    assert made.state is State.DONE
    assert repr(made) == "Progress(done, 1 dispatched)"


def test_a_replay_after_the_start_emits_no_second_start():
    made = progress(*STARTED)
    assert not made.advance(Signal.DISPATCH)
    assert not made.advance(Signal.START)
    assert made.dispatches == 2


@pytest.mark.parametrize(
    ("state", "signal"),
    [
        pytest.param(state, signal, id=f"{state.value}-{signal.value}")
        for state in State
        for signal in Signal
        if (state, signal) not in TRANSITIONS
    ],
)
def test_a_signal_outside_the_table_raises(state, signal):
    made = Progress()
    made.state = state
    with pytest.raises(KeyError):
        made.advance(signal)
    assert made.state is state


def test_nothing_follows_an_end_and_no_dispatch_follows_content():
    assert not {state for state, _ in TRANSITIONS} & {State.DONE, State.FAILED}
    assert (State.STREAMING, Signal.DISPATCH) not in TRANSITIONS


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("forced", [False, True], ids=["auto", "forced"])
def test_nothing_is_replayed_after_content(reason, forced):
    assert reroute(progress(*STREAMING), reason, forced=forced) is None


@pytest.mark.parametrize("before", [SENT, STARTED], ids=["sent", "started"])
@pytest.mark.parametrize(
    ("reason", "auto", "forced"),
    [
        (Reason.CHAIN_LOST, Route.SAME_CONNECTION, Route.SAME_CONNECTION),
        (Reason.CONTINUATION_REFUSED, Route.SAME_CONNECTION, Route.SAME_CONNECTION),
        (Reason.ENCRYPTED_CONTENT_REFUSED, Route.SAME_CONNECTION, Route.SAME_CONNECTION),
        (Reason.CONNECTION_EXPIRED, Route.NEW_CONNECTION, Route.NEW_CONNECTION),
        (Reason.MESSAGE_TOO_BIG, Route.SSE, None),
        (Reason.CONNECTION_LOST, Route.NEW_CONNECTION, Route.NEW_CONNECTION),
        (Reason.CLOSED_BY_POLICY, Route.NEW_CONNECTION, Route.NEW_CONNECTION),
        (Reason.UPSTREAM_ERROR, Route.NEW_CONNECTION, Route.NEW_CONNECTION),
        (Reason.TIMEOUT, Route.SSE, Route.NEW_CONNECTION),
        (Reason.PROTOCOL_ERROR, Route.SSE, Route.NEW_CONNECTION),
        (Reason.FRAME_REFUSED, Route.SSE, None),
        (Reason.RATE_LIMITED, None, None),
        (Reason.QUOTA_EXHAUSTED, None, None),
        (Reason.INVALID_REQUEST, None, None),
        (Reason.CONTEXT_LENGTH_EXCEEDED, None, None),
        (Reason.UPSTREAM_AUTH, None, None),
        (Reason.INTERRUPTED, None, None),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else None,
)
def test_before_content_each_reason_has_its_route(before, reason, auto, forced):
    assert reroute(progress(*before), reason) is auto
    assert reroute(progress(*before), reason, forced=True) is forced


@pytest.mark.parametrize(
    ("reason", "route"),
    [
        (Reason.CHAIN_LOST, Route.SSE),
        (Reason.ENCRYPTED_CONTENT_REFUSED, Route.SSE),
        (Reason.CONNECTION_LOST, Route.SSE),
        (Reason.UPSTREAM_ERROR, Route.SSE),
        (Reason.TIMEOUT, Route.SSE),
        (Reason.PROTOCOL_ERROR, Route.SSE),
        (Reason.MESSAGE_TOO_BIG, None),
        (Reason.CONNECTION_EXPIRED, None),
        (Reason.RATE_LIMITED, None),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else None,
)
def test_over_sse_a_turn_stays_there(reason, route):
    assert reroute(progress(*SENT), reason, transport=SSE) is route


@pytest.mark.parametrize("reason", REPLAYED)
def test_a_silent_connection_that_ends_leads_to_sse(reason):
    auto, forced = (reroute(progress(*SENT), reason, silent=True, forced=forced) for forced in (False, True))
    if reason in (Reason.CONNECTION_LOST, Reason.CLOSED_BY_POLICY):
        assert (auto, forced) == (Route.SSE, Route.NEW_CONNECTION)
    else:
        assert auto is reroute(progress(*SENT), reason)
        assert forced is reroute(progress(*SENT), reason, forced=True)


@pytest.mark.parametrize("reason", LOSSES)
def test_safe_only_replays_no_loss(reason):
    assert reroute(progress(*SENT), reason, safe_only=True) is None


@pytest.mark.parametrize("reason", sorted(set(REPLAYED) - set(LOSSES), key=str))
def test_safe_only_replays_what_is_proven_not_to_have_run(reason):
    assert reroute(progress(*SENT), reason, safe_only=True) is POLICIES[reason].route


def test_an_error_that_is_not_retryable_is_not_replayed():
    assert reroute(progress(*SENT), Reason.UPSTREAM_ERROR, retryable=False) is None


@pytest.mark.parametrize(
    ("retry_after", "route"), [(None, Route.NEW_CONNECTION), (0.0, Route.NEW_CONNECTION), (2.0, None)]
)
def test_an_error_that_names_a_delay_is_not_replayed(retry_after, route):
    error = TurnError(Reason.UPSTREAM_ERROR, "not now", retry_after=retry_after)
    made = progress(*SENT)
    found = made.reroute(error, dispatched=True, transport=WS, silent=False, forced=False, safe_only=False)
    assert found is route


def test_each_cause_counts_once():
    made = progress(*SENT)
    assert reroute(made, Reason.CHAIN_LOST) is Route.SAME_CONNECTION
    made.advance(Signal.DISPATCH)
    assert reroute(made, Reason.CHAIN_LOST) is None
    assert reroute(made, Reason.CONTINUATION_REFUSED) is None


def test_losses_of_all_kinds_are_one_cause():
    made = progress(*SENT)
    assert reroute(made, Reason.CONNECTION_LOST) is Route.NEW_CONNECTION
    made.advance(Signal.DISPATCH)
    assert reroute(made, Reason.TIMEOUT) is None


def test_a_turn_is_dispatched_three_times_at_most():
    made = progress(*SENT)
    assert reroute(made, Reason.CHAIN_LOST)
    made.advance(Signal.DISPATCH)
    assert reroute(made, Reason.CONNECTION_EXPIRED)
    made.advance(Signal.DISPATCH)
    assert made.dispatches == MAX_DISPATCHES
    assert reroute(made, Reason.CONNECTION_LOST) is None


@pytest.mark.parametrize(
    ("reason", "auto", "forced"),
    [
        (Reason.CONNECT_FAILED, Route.SSE, None),
        (Reason.OVERLOADED, Route.SSE, None),
        (Reason.MESSAGE_TOO_BIG, Route.SSE, None),
        (Reason.CONNECTION_LOST, Route.NEW_CONNECTION, Route.NEW_CONNECTION),
        (Reason.UPSTREAM_AUTH, None, None),
        (Reason.INTERNAL, None, None),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else None,
)
def test_before_dispatch_each_reason_has_its_route(reason, auto, forced):
    assert reroute(Progress(), reason, dispatched=False) is auto
    assert reroute(Progress(), reason, dispatched=False, forced=True) is forced
    assert reroute(Progress(), reason, dispatched=False, transport=SSE) is None


def test_dead_connections_are_not_replaced_for_ever():
    made = Progress()
    for _ in range(MAX_STALE_CONNECTIONS):
        assert reroute(made, Reason.CONNECTION_LOST, dispatched=False) is Route.NEW_CONNECTION
    assert reroute(made, Reason.CONNECTION_LOST, dispatched=False, forced=True) is None
    assert reroute(made, Reason.CONNECTION_LOST, dispatched=False) is Route.SSE


def test_every_cause_has_a_route():
    assert all(POLICIES[reason].route is not None for reason in REPLAYED)


REFUSALS = (Reason.RATE_LIMITED, Reason.QUOTA_EXHAUSTED, Reason.UPSTREAM_AUTH)


@pytest.mark.parametrize("reason", [*REFUSALS, Reason.UPSTREAM_ERROR, Reason.TIMEOUT])
@pytest.mark.parametrize("transport", [WS, SSE], ids=["websocket", "sse"])
def test_a_failure_before_content_leads_to_another_upstream_where_there_is_one(reason, transport):
    for before in (SENT, STARTED):
        assert reroute(progress(*before), reason, transport=transport, elsewhere=True) is Route.NEXT_UPSTREAM
    assert reroute(progress(*STREAMING), reason, transport=transport, elsewhere=True) is None


@pytest.mark.parametrize("safe_only", [False, True])
def test_only_what_proves_that_nothing_ran_goes_elsewhere_where_losses_are_not_replayed(safe_only):
    route = reroute(progress(*SENT), Reason.RATE_LIMITED, safe_only=safe_only, elsewhere=True)
    assert route is Route.NEXT_UPSTREAM
    route = reroute(progress(*SENT), Reason.UPSTREAM_ERROR, safe_only=safe_only, elsewhere=True)
    assert route is (None if safe_only else Route.NEXT_UPSTREAM)


def test_a_loss_is_repeated_once_wherever():
    made = progress(*SENT)
    assert reroute(made, Reason.UPSTREAM_ERROR, elsewhere=True) is Route.NEXT_UPSTREAM
    made.advance(Signal.DISPATCH)
    assert reroute(made, Reason.UPSTREAM_ERROR, elsewhere=True) is None
    assert reroute(made, Reason.RATE_LIMITED, elsewhere=True) is Route.NEXT_UPSTREAM
    made.advance(Signal.DISPATCH)
    assert reroute(made, Reason.RATE_LIMITED, elsewhere=True) is None, "three requests a turn"


def test_a_delay_binds_only_the_upstream_that_named_it():
    assert reroute(progress(*SENT), Reason.UPSTREAM_ERROR, retry_after=5.0) is None
    route = reroute(progress(*SENT), Reason.UPSTREAM_ERROR, retry_after=5.0, elsewhere=True)
    assert route is Route.NEXT_UPSTREAM
    assert reroute(progress(*SENT), Reason.UPSTREAM_ERROR, retryable=False, elsewhere=True) is None


def test_what_was_not_sent_tries_all_ways_of_its_upstream_first():
    unsent = {"dispatched": False, "elsewhere": True}
    assert reroute(Progress(), Reason.CONNECT_FAILED, **unsent) is Route.SSE
    assert reroute(Progress(), Reason.CONNECT_FAILED, transport=SSE, **unsent) is Route.NEXT_UPSTREAM
    assert reroute(Progress(), Reason.CONNECT_FAILED, forced=True, **unsent) is Route.NEXT_UPSTREAM
    assert reroute(Progress(), Reason.UPSTREAM_AUTH, **unsent) is Route.NEXT_UPSTREAM
