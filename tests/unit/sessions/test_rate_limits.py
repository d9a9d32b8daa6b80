"""Token buckets: what is used counts, fills again evenly, and survives a change of the limit."""

from types import SimpleNamespace

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Rates
from service.sessions import rate_limits
from service.sessions.rate_limits import DAY_S, RateLimits
from service.telemetry import names
from service.telemetry.telemetry import Limit
from tests.watching import watching


@pytest.fixture
def limits(clock):
    return RateLimits(clock)


def limited(name="a", **rates):
    return Caller(name, rates=Rates(**rates))


def used(tokens):
    return SimpleNamespace(tokens=tokens)


def refused(limits, caller):
    """The limit that refuses, and the seconds until it allows one more."""
    with pytest.raises(TurnError) as caught:
        limits.take(caller)
    error = caught.value
    assert error.reason is Reason.RATE_LIMITED
    assert f"({error.limit})" in error.message
    return error.limit, error.retry_after


def test_requests_up_to_the_limit_go_at_once_and_later_ones_evenly(limits, clock):
    caller = limited(requests_per_minute=3)
    for _ in range(3):
        limits.take(caller)
    assert refused(limits, caller) == ("requests_per_minute", 20.0)
    clock.now += 5.0
    assert refused(limits, caller) == ("requests_per_minute", 15.0)
    clock.now += 15.0
    limits.take(caller)
    assert refused(limits, caller) == ("requests_per_minute", 20.0)


def test_a_refused_request_does_not_count(limits, clock):
    caller = limited(requests_per_minute=1)
    limits.take(caller)
    for _ in range(10):
        refused(limits, caller)
    clock.now += 60.0
    limits.take(caller)


@pytest.mark.parametrize("per_minute", [1, 7, 60, 997, 1_000_000, 2**53])
def test_after_the_time_that_was_named_it_goes(limits, clock, per_minute):
    caller = limited(tokens_per_minute=per_minute)
    limits.spend(caller, used(per_minute * 3))
    _, wait_s = refused(limits, caller)
    clock.now += wait_s - 0.002
    refused(limits, caller)
    clock.now += 0.002
    limits.take(caller)


def test_a_turn_may_use_more_than_is_left_and_is_owed_for(limits, clock):
    caller = limited(tokens_per_minute=600)
    limits.take(caller)
    limits.spend(caller, used(599))
    limits.take(caller)
    limits.spend(caller, used(1201))
    assert refused(limits, caller) == ("tokens_per_minute", 120.1)


def test_the_longest_wait_is_named(limits):
    caller = limited(requests_per_minute=1, tokens_per_minute=100, tokens_per_day=1000)
    limits.take(caller)
    limits.spend(caller, used(100))
    assert refused(limits, caller) == ("requests_per_minute", 60.0)
    limits.spend(caller, used(900))
    assert refused(limits, caller) == ("tokens_per_minute", 540.6)
    limits.spend(caller, used(1000))
    assert refused(limits, caller) == ("tokens_per_day", 86_486.4)


def test_an_absurd_report_shuts_nobody_out_for_longer_than_a_day(limits, clock):
    caller = limited(tokens_per_minute=60)
    limits.spend(caller, used(2**53))
    assert refused(limits, caller) == ("tokens_per_minute", DAY_S + 1)


def test_nor_does_a_limit_that_was_lowered(limits):
    limits.spend(limited(tokens_per_minute=6000), used(2**53))
    assert refused(limits, limited(tokens_per_minute=6)) == ("tokens_per_minute", DAY_S + 10)


def test_tenants_have_buckets_of_their_own_and_the_callers_of_one_share_them(limits):
    for name in "ab":
        limits.take(limited(name, requests_per_minute=1))
    refused(limits, limited("a", requests_per_minute=1))
    limits.take(Caller("a"))
    limits.spend(limited("c", tokens_per_day=10), used(4))
    limits.spend(Caller("c"), used(4))
    limits.spend(limited("c", requests_per_minute=1), used(4))
    assert refused(limits, limited("c", tokens_per_day=10)) == ("tokens_per_day", 25_920.0)


def test_a_request_that_sent_nothing_is_put_back(limits):
    caller = limited(requests_per_minute=1)
    for _ in range(3):
        limits.take(caller)
        limits.put_back(caller)
    limits.put_back(caller)
    limits.take(caller)
    refused(limits, caller)


def test_who_has_no_limit_takes_no_memory(limits):
    for number in range(10):
        limits.take(Caller(str(number)))
        limits.spend(Caller(str(number)), used(10**9))
        limits.put_back(Caller(str(number)))
    assert repr(limits) == "RateLimits(0 tenants)"


def test_what_was_used_survives_a_change_of_the_limit(limits, clock):
    limits.spend(limited(tokens_per_minute=1000), used(800))
    clock.now += 6.0  # 100 come back
    limits.take(limited(tokens_per_minute=701))
    assert refused(limits, limited(tokens_per_minute=100))[0] == "tokens_per_minute"
    limits.take(limited(tokens_per_minute=2000))
    limits.spend(limited(tokens_per_minute=2000), used(1300))
    assert refused(limits, limited(tokens_per_minute=2000)) == ("tokens_per_minute", 0.03)


def test_the_tenant_that_called_longest_ago_is_forgotten(limits, monkeypatch):
    monkeypatch.setattr(rate_limits, "MAX_TENANTS", 2)
    for name in "abac":
        limits.spend(limited(name, tokens_per_day=1), used(1))
    assert repr(limits) == "RateLimits(2 tenants)"
    refused(limits, limited("a", tokens_per_day=1))
    limits.take(limited("b", tokens_per_day=1))


def test_what_is_left_is_shown_of_the_tenants_that_are_labels(clock, monkeypatch):
    with watching() as seen:
        limits = RateLimits(clock, seen.telemetry)
        caller = limited("a", requests_per_minute=2, tokens_per_minute=100)
        limits.take(caller)
        limits.spend(caller, used(130))
        clock.now += 6.0
        assert limits.left() == {("a", "requests_per_minute"): 1.2, ("a", "tokens_per_minute"): -20.0}
        refused(limits, caller)
        assert seen.count(names.REFUSED, limit=Limit.TOKENS_PER_MINUTE.value) == 1
        for number in range(100):
            limits.take(limited(f"b{number}", requests_per_minute=2))
        assert len(limits.left()) == 2 + 49
