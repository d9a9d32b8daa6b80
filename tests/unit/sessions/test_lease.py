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


@pytest.mark.parametrize("clean", [True, False])
def test_the_end_of_a_lease_returns_it_to_the_pool(clean):
    pool: Any = Mock()
    lease = Lease(Mock(), None, False, 0.0, pool)
    lease.end(clean=clean)
    pool.end_lease.assert_called_once_with(lease, clean)
