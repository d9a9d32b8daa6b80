"""The breaker opens, probes and closes, with the right pauses."""

import pytest

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.sessions.circuit_breaker import Breaker, State

FAILED = TurnError(Reason.CONNECT_FAILED, "no")


def refused(status: int, retry_after: float | None = None) -> TurnError:
    return TurnError(
        Reason.CONNECT_FAILED, "no", upstream=UpstreamDetail(status=status), retry_after=retry_after
    )


@pytest.fixture
def breaker(clock) -> Breaker:
    return Breaker(60.0, refusals_last=True, clock=clock, random=lambda: 0.0)


def test_closed_it_lets_everyone_dial(breaker):
    assert [breaker.admit() for _ in range(3)] == [0.0, 0.0, 0.0]


def test_one_failure_opens_it_for_the_base(breaker, clock):
    breaker.failed(FAILED)
    assert breaker.admit() == 60.0
    clock.now += 59.5
    assert breaker.admit() == 1.0


def test_then_a_single_probe_decides(breaker, clock):
    breaker.failed(FAILED)
    clock.now += 60
    assert breaker.admit() == 0.0
    assert breaker.admit() > 0
    breaker.succeeded()
    assert breaker.admit() == 0.0
    assert repr(breaker) == "Breaker(closed, 0 failures)"


def test_each_failed_probe_doubles_the_pause_up_to_the_cap(breaker, clock):
    pauses = []
    for _ in range(6):
        breaker.failed(FAILED)
        pauses.append(breaker.admit())
        clock.now += pauses[-1]
        assert breaker.admit() == 0.0
    assert pauses == [60.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_dials_that_failed_together_count_once(breaker):
    for _ in range(5):
        breaker.failed(FAILED)
    assert breaker.admit() == 60.0


def test_after_an_abandoned_probe_the_next_dial_probes(breaker, clock):
    breaker.failed(FAILED)
    clock.now += 60
    assert breaker.admit() == 0.0
    breaker.abandoned()
    assert breaker.admit() == 0.0
    assert breaker.state is State.PROBING


def test_an_abandoned_dial_of_a_healthy_upstream_changes_nothing(breaker):
    breaker.abandoned()
    assert breaker.admit() == 0.0


@pytest.mark.parametrize("status", [404, 405, 426, 501])
def test_an_upgrade_that_is_refused_outright_starts_at_the_cap(breaker, status):
    breaker.failed(refused(status))
    assert breaker.admit() == 600.0


def test_not_if_the_base_was_set(clock):
    breaker = Breaker(5.0, refusals_last=False, clock=clock, random=lambda: 0.0)
    breaker.failed(refused(426))
    assert breaker.admit() == 5.0


def test_retry_after_is_honoured_where_it_is_longer(breaker):
    breaker.failed(refused(429, retry_after=90.0))
    assert breaker.admit() == 90.0


def test_retry_after_counts_no_more_than_the_cap(breaker):
    breaker.failed(refused(503, retry_after=1e12))
    assert breaker.admit() == 600.0


def test_jitter_shortens(clock):
    breaker = Breaker(60.0, refusals_last=False, clock=clock, random=lambda: 1.0)
    breaker.failed(FAILED)
    assert breaker.admit() == pytest.approx(48.0)


def test_without_a_base_it_never_opens(clock):
    breaker = Breaker(0.0, refusals_last=False, clock=clock, random=lambda: 0.0)
    breaker.failed(FAILED)
    assert breaker.admit() == 0.0


LOST = TurnError(Reason.CONNECTION_LOST, "no word")


def test_two_silent_connections_in_a_row_open_the_breaker(breaker):
    breaker.silent(LOST, "b")
    assert breaker.admit() == 0.0
    breaker.silent(LOST, "a")
    assert breaker.admit() == 60.0


def test_silent_connections_of_one_source_count_once(breaker):
    for source in "aaaa":
        breaker.silent(LOST, source)
    assert breaker.admit() == 0.0
    breaker.silent(LOST, "b")
    assert breaker.admit() == 60.0


def test_a_silent_probe_opens_the_breaker_alone(breaker, clock):
    breaker.silent(LOST, "a")
    breaker.silent(LOST, "b")
    clock.now += 60
    assert breaker.admit() == 0.0
    breaker.succeeded()
    breaker.silent(LOST, "b")
    assert breaker.admit() == 120.0


def test_a_handshake_does_not_reset_the_count_of_silent_connections(breaker):
    breaker.silent(LOST, "b")
    breaker.succeeded()
    breaker.silent(LOST, "a")
    assert breaker.admit() == 60.0


def test_data_between_silent_connections_resets_the_count(breaker):
    for number in range(5):
        breaker.silent(LOST, number)
        breaker.succeeded()
        breaker.received()
    assert breaker.admit() == 0.0


def test_each_silent_probe_doubles_the_pause(breaker, clock):
    pauses = []
    breaker.silent(LOST, "b")
    for number in range(3):
        breaker.silent(LOST, number)
        pauses.append(breaker.admit())
        clock.now += pauses[-1]
        assert breaker.admit() == 0.0
        breaker.succeeded()
    breaker.received()
    breaker.failed(FAILED)
    assert [*pauses, breaker.admit()] == [60.0, 120.0, 240.0, 60.0]


def test_data_on_an_older_connection_does_not_shorten_the_pause(breaker, clock):
    breaker.failed(FAILED)
    breaker.received()
    clock.now += 60
    assert breaker.admit() == 0.0
    breaker.failed(FAILED)
    assert breaker.admit() == 120.0


def test_silent_connections_while_open_do_not_lengthen_the_pause(breaker):
    for number in range(5):
        breaker.silent(LOST, number)
    assert breaker.admit() == 60.0


def test_without_a_base_silent_connections_do_not_open_it_either(clock):
    breaker = Breaker(0.0, refusals_last=False, clock=clock, random=lambda: 0.0)
    for number in range(5):
        breaker.silent(LOST, number)
    assert breaker.admit() == 0.0


def test_ready_says_what_admit_would_without_changing_anything(breaker, clock):
    assert breaker.ready
    breaker.failed(FAILED)
    assert not breaker.ready
    clock.now += 60
    assert breaker.ready
    assert breaker.state is State.OPEN
    assert breaker.admit() == 0.0
    assert not breaker.ready, "somebody is finding out"


def test_a_rest_is_as_long_as_was_asked_for_and_no_failure(breaker, clock):
    breaker.rest(7.0)
    assert breaker.admit() == 7.0
    clock.now += 7
    assert breaker.ready
    breaker.rest(10_000.0)
    assert breaker.admit() == 600.0, "ten times the first pause"
    breaker.succeeded()
    breaker.failed(FAILED)
    assert breaker.admit() == 60.0
