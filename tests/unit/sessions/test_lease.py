import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.report import TransportReason
from service.sessions import lease as leases
from service.sessions.lease import Lease


def test_an_error_without_a_connection_keeps_what_the_upstream_said():
    detail = UpstreamDetail(code="c", status=503)
    cause = TurnError(Reason.CONNECT_FAILED, "no way", retryable=False, retry_after=2.0, upstream=detail)
    error = leases.NoConnectionError(cause, TransportReason.COOLDOWN)
    assert (error.reason, error.message) == (Reason.CONNECT_FAILED, "no way")
    assert (error.retryable, error.retry_after, error.upstream) == (False, 2.0, detail)
    assert error.why is TransportReason.COOLDOWN


ANSWERED: Any = SimpleNamespace(orderly=True)
CUT_OFF: Any = SimpleNamespace(orderly=False)
SOURCE: Any = object()
KEPT = TurnError(Reason.RATE_LIMITED, "later")
BROKEN = TurnError(Reason.CONNECTION_LOST, "gone")


def ended(exchange: Any, error: BaseException | None) -> tuple[bool, list[Any]]:
    """End a lease with this error. Return whether it was clean, and the failures recorded."""
    pool: Any = Mock()
    lease = Lease(pool, Mock(), None, reused=False)
    with suppress(TurnError, asyncio.CancelledError), lease:
        if exchange is not None:
            lease.carries(exchange, SOURCE, "m")
        if error is not None:
            raise error
    [((given, clean), _)] = pool.end_lease.call_args_list
    assert given is lease
    return clean, [call.args for call in pool.record_failure.call_args_list]


@pytest.mark.parametrize("error", [None, BROKEN, asyncio.CancelledError()])
def test_a_lease_over_which_nothing_was_sent_is_clean(error):
    assert ended(None, error) == (True, [])


@pytest.mark.parametrize(
    ("exchange", "error", "clean"),
    [
        (ANSWERED, None, True),
        (ANSWERED, asyncio.CancelledError(), True),
        (ANSWERED, KEPT, True),
        (ANSWERED, BROKEN, False),
        (CUT_OFF, None, False),
        (CUT_OFF, asyncio.CancelledError(), False),
        (CUT_OFF, KEPT, False),
    ],
)
def test_a_connection_is_reusable_after_a_whole_answer(exchange, error, clean):
    assert ended(exchange, error)[0] is clean


@pytest.mark.parametrize("error", [KEPT, BROKEN])
def test_a_failed_exchange_is_recorded_with_its_session(error):
    [(_, failure, source, model)] = ended(CUT_OFF, error)[1]
    assert (failure, source, model) == (error, SOURCE, "m")
