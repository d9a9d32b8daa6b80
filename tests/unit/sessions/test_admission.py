"""Places are limited, queued for, and passed on when a waiter leaves."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Rates
from service.sessions.admission import Admission, TenantLimits

NOTHING = SimpleNamespace(tokens=0)


async def started(admission: Admission) -> asyncio.Task[Any]:
    task = asyncio.ensure_future(admission.enter())
    await asyncio.sleep(0)
    return task


async def test_over_the_limit_it_refuses_at_once_with_a_delay():
    admission = Admission(1, 0)
    await admission.enter()
    with pytest.raises(TurnError, match="TRUNKLINE_MAX_TURNS") as caught:
        await admission.enter()
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_after


async def test_a_released_place_goes_to_the_first_waiter():
    admission = Admission(1, 2)
    await admission.enter()
    first, second = await started(admission), await started(admission)
    with pytest.raises(TurnError):
        await admission.enter()
    admission.leave()
    await first
    assert not second.done()
    admission.leave()
    await second
    admission.leave()
    assert admission.running == 0


async def test_a_waiter_that_leaves_leaves_its_place_in_the_queue():
    admission = Admission(1, 1)
    await admission.enter()
    waiting = await started(admission)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    admission.leave()
    assert admission.running == 0
    assert repr(admission) == "Admission(0/1 running, 0 waiting)"


async def test_a_waiter_that_leaves_is_passed_over():
    admission = Admission(1, 2)
    await admission.enter()
    first, second = await started(admission), await started(admission)
    first.cancel()
    admission.leave()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    admission.leave()
    assert admission.running == 0


async def test_waiters_can_be_dismissed():
    admission = Admission(1, 2)
    await admission.enter()
    first, second = await started(admission), await started(admission)
    admission.dismiss(lambda: TurnError(Reason.SHUTTING_DOWN, "not here"))
    second.cancel()
    with pytest.raises(TurnError, match="not here"):
        await first
    with pytest.raises(asyncio.CancelledError):
        await second
    admission.leave()
    assert admission.running == 0


async def test_a_place_for_a_cancelled_waiter_goes_to_the_next():
    admission = Admission(1, 2)
    await admission.enter()
    first, second = await started(admission), await started(admission)
    admission.leave()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await second
    admission.leave()
    assert admission.running == 0


def test_a_tenant_is_refused_above_its_limit():
    shares = TenantLimits(time.monotonic)
    caller, other = Caller("a", max_turns=2), Caller("b")
    with shares.take(caller, NOTHING), shares.take(caller, NOTHING):
        for refused in (shares.check, lambda caller: shares.take(caller, NOTHING).__enter__()):
            with pytest.raises(TurnError, match=r"tenant 'a' has 2 turns already, its limit \(max_turns\)"):
                refused(caller)
        with shares.take(other, NOTHING):
            assert repr(shares) == "TenantLimits(3 turns of 2 tenants)"
    assert repr(shares) == "TenantLimits(0 turns of 0 tenants)"


def test_a_failed_turn_releases_its_place():
    shares, caller = TenantLimits(time.monotonic), Caller("a", max_turns=1)
    for _ in range(3):
        with pytest.raises(KeyError), shares.take(caller, NOTHING):
            raise KeyError


def test_what_a_turn_used_counts_however_it_ended(clock):
    shares = TenantLimits(clock)
    caller = Caller("a", rates=Rates(tokens_per_minute=600))
    with pytest.raises(KeyError), shares.take(caller, SimpleNamespace(tokens=900)):
        raise KeyError
    with pytest.raises(TurnError, match="tokens_per_minute") as caught:
        shares.check(caller)
    assert (caught.value.reason, caught.value.retry_after) == (Reason.RATE_LIMITED, 30.1)


@pytest.mark.parametrize(
    ("reason", "counts"),
    [
        (Reason.OVERLOADED, False),
        (Reason.CONNECT_FAILED, False),
        (Reason.SHUTTING_DOWN, False),
        (Reason.CONNECTION_LOST, True),
        (Reason.UPSTREAM_ERROR, True),
    ],
)
def test_a_turn_that_sent_nothing_was_no_request(clock, reason, counts):
    shares, caller = TenantLimits(clock), Caller("a", rates=Rates(requests_per_minute=1))
    with pytest.raises(TurnError), shares.take(caller, NOTHING):
        raise TurnError(reason, "so it ended")
    if counts:
        with pytest.raises(TurnError, match="requests_per_minute"):
            shares.check(caller)
    else:
        shares.check(caller)
