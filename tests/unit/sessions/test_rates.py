"""A burst passes at once, the rest evenly; too long a wait is refused with a delay."""

import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.sessions import rates
from service.sessions.rates import Rate


@pytest.fixture
def rate(clock):
    return Rate(3, 2.0, clock, what="tries (TRIES)")


@pytest.fixture
def slept(monkeypatch, clock):
    """The pauses that were made, without making them."""
    pauses = []

    async def wait(_waiting, *, timeout):
        pauses.append(timeout)
        clock.now += timeout

    monkeypatch.setattr(asyncio, "wait", wait)
    return pauses


async def test_a_burst_goes_at_once_and_the_rest_evenly(rate, slept):
    for _ in range(5):
        await rate.wait("a", 10.0)
    assert slept == [0.5, 0.5]


async def test_who_would_wait_too_long_is_refused_and_not_counted(rate, slept):
    for _ in range(3):
        await rate.wait("a", 0.4)
    for _ in range(2):
        with pytest.raises(TurnError, match=r"TRIES") as caught:
            await rate.wait("a", 0.4)
        assert (caught.value.reason, caught.value.retry_after) == (Reason.OVERLOADED, 0.5)
    assert slept == []


async def test_tenants_do_not_wait_for_each_other(rate, slept):
    for tenant in "aaabbb":
        await rate.wait(tenant, 0.0)
    assert slept == []
    assert repr(rate) == "Rate(2 a second, 2 tenants)"


async def test_a_pause_fills_the_bucket_and_no_more(rate, slept, clock):
    clock.now += 1000.0
    for _ in range(4):
        await rate.wait("a", 10.0)
    assert slept == [0.5]


async def test_tenants_whose_bucket_is_full_are_forgotten(rate, slept, clock, monkeypatch):
    monkeypatch.setattr(rates, "MAX_TENANTS", 2)
    for tenant in "abc":
        await rate.wait(tenant, 0.0)
        clock.now += 10.0
    assert repr(rate) == "Rate(2 a second, 1 tenants)"


async def test_who_waits_can_be_dismissed(rate):
    for _ in range(3):
        await rate.wait("a", 0.0)
    waiting = asyncio.ensure_future(rate.wait("a", 10.0))
    await asyncio.sleep(0)
    rate.dismiss(lambda: TurnError(Reason.SHUTTING_DOWN, "not here"))
    with pytest.raises(TurnError, match="not here"):
        await waiting
