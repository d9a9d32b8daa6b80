"""Every reason has a policy, and each column of the table holds what it must."""

import pytest

from service.domain.errors import Fault, Reason
from service.domain.failure_policy import POLICIES
from service.domain.policy import Cause, Route
from service.domain.report import TransportReason, UpstreamReason


def having(column: str) -> dict[str, object]:
    """The reasons with something in the column."""
    return {reason.value: value for reason, policy in POLICIES.items() if (value := getattr(policy, column))}


def test_the_table_is_total():
    assert list(POLICIES) == list(Reason)


FAULTS = {
    Fault.CALLER: {
        "INVALID_REQUEST",
        "CONTEXT_LENGTH_EXCEEDED",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "SESSION_NOT_FOUND",
        "TURN_NOT_FOUND",
        "TAKEN_OVER",
        "CANCELLED",
        "CONTINUATION_REFUSED",
        "ENCRYPTED_CONTENT_REFUSED",
        "MESSAGE_TOO_BIG",
    },
    Fault.SERVICE: {
        "UPSTREAM_AUTH",
        "QUOTA_EXHAUSTED",
        "OVERLOADED",
        "SHUTTING_DOWN",
        "INTERRUPTED",
        "INTERNAL",
    },
    Fault.UPSTREAM: {
        "RATE_LIMITED",
        "CONNECT_FAILED",
        "CHAIN_LOST",
        "CONNECTION_EXPIRED",
        "FRAME_REFUSED",
        "CLOSED_BY_POLICY",
        "CONNECTION_LOST",
        "UPSTREAM_ERROR",
        "PROTOCOL_ERROR",
        "TIMEOUT",
    },
}


@pytest.mark.parametrize("fault", Fault)
def test_a_reason_is_somebody_s_fault(fault):
    assert {reason for reason, found in having("fault").items() if found is fault} == FAULTS[fault]


FLAGS = {
    "retryable": {
        "RATE_LIMITED",
        "OVERLOADED",
        "CONNECT_FAILED",
        "SHUTTING_DOWN",
        "CONNECTION_EXPIRED",
        "CONNECTION_LOST",
        "INTERRUPTED",
        "UPSTREAM_ERROR",
        "TIMEOUT",
    },
    "repeat_once": {"PROTOCOL_ERROR", "FRAME_REFUSED", "CLOSED_BY_POLICY"},
    "every_connection_refuses": {"MESSAGE_TOO_BIG", "FRAME_REFUSED"},
    "sse_if_unsent": {"CONNECT_FAILED", "CONNECTION_LOST", "MESSAGE_TOO_BIG", "OVERLOADED"},
    "connection_reusable": {
        "CHAIN_LOST",
        "CONTINUATION_REFUSED",
        "ENCRYPTED_CONTENT_REFUSED",
        "INVALID_REQUEST",
        "CONTEXT_LENGTH_EXCEEDED",
        "RATE_LIMITED",
        "QUOTA_EXHAUSTED",
    },
    "implies_nothing_sent": {"CONNECT_FAILED", "OVERLOADED", "SHUTTING_DOWN"},
    "counts_as_silent": {
        "CONNECTION_LOST",
        "TIMEOUT",
        "PROTOCOL_ERROR",
        "FRAME_REFUSED",
        "CLOSED_BY_POLICY",
    },
}


@pytest.mark.parametrize("column", FLAGS)
def test_a_flag_is_set_for_these_reasons_only(column):
    assert set(having(column)) == FLAGS[column]


VALUES: dict[str, dict[str, object]] = {
    "public": {
        "CHAIN_LOST": Reason.PROTOCOL_ERROR,
        "CONTINUATION_REFUSED": Reason.INVALID_REQUEST,
        "CONNECTION_EXPIRED": Reason.UPSTREAM_ERROR,
        "ENCRYPTED_CONTENT_REFUSED": Reason.INVALID_REQUEST,
        "FRAME_REFUSED": Reason.PROTOCOL_ERROR,
        "CLOSED_BY_POLICY": Reason.UPSTREAM_ERROR,
    },
    "replay": {
        "CHAIN_LOST": Cause.CHAIN_LOST,
        "CONTINUATION_REFUSED": Cause.CHAIN_LOST,
        "CONNECTION_EXPIRED": Cause.CONNECTION_EXPIRED,
        "MESSAGE_TOO_BIG": Cause.TOO_BIG,
        "ENCRYPTED_CONTENT_REFUSED": Cause.ENCRYPTED_CONTENT,
        "CONNECTION_LOST": Cause.LOSS,
        "UPSTREAM_ERROR": Cause.LOSS,
        "PROTOCOL_ERROR": Cause.LOSS,
        "FRAME_REFUSED": Cause.LOSS,
        "CLOSED_BY_POLICY": Cause.LOSS,
        "TIMEOUT": Cause.LOSS,
    },
    "route": {
        "CHAIN_LOST": Route.SAME_CONNECTION,
        "CONTINUATION_REFUSED": Route.SAME_CONNECTION,
        "ENCRYPTED_CONTENT_REFUSED": Route.SAME_CONNECTION,
        "CONNECTION_EXPIRED": Route.NEW_CONNECTION,
        "CONNECTION_LOST": Route.NEW_CONNECTION,
        "CLOSED_BY_POLICY": Route.NEW_CONNECTION,
        "UPSTREAM_ERROR": Route.NEW_CONNECTION,
        "TIMEOUT": Route.SSE,
        "PROTOCOL_ERROR": Route.SSE,
        "FRAME_REFUSED": Route.SSE,
        "MESSAGE_TOO_BIG": Route.SSE,
        "CONNECT_FAILED": Route.SSE,
    },
    "route_if_silent": {"CLOSED_BY_POLICY": Route.SSE, "CONNECTION_LOST": Route.SSE},
    "elsewhere": {
        reason.name: reason
        for reason in UpstreamReason
        if reason not in (UpstreamReason.PREFERRED, UpstreamReason.SESSION, UpstreamReason.COOLDOWN)
    },
    "sse_reason": {
        "CLOSED_BY_POLICY": TransportReason.CONNECTION_LOST,
        "MESSAGE_TOO_BIG": TransportReason.TOO_BIG,
        "CONNECTION_LOST": TransportReason.CONNECTION_LOST,
        "TIMEOUT": TransportReason.TIMEOUT,
        "UPSTREAM_ERROR": TransportReason.UPSTREAM_ERROR,
        "PROTOCOL_ERROR": TransportReason.PROTOCOL_ERROR,
        "FRAME_REFUSED": TransportReason.PROTOCOL_ERROR,
    },
}


@pytest.mark.parametrize("column", VALUES)
def test_a_column_has_these_values_only(column):
    assert having(column) == VALUES[column]


@pytest.mark.parametrize("cause", Cause)
def test_only_a_loss_leaves_open_whether_the_turn_ran(cause):
    assert cause.proves_nothing_ran is (cause is not Cause.LOSS)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_to_its_caller(reason):
    assert POLICIES[reason].meaning
    assert POLICIES[reason].caller
