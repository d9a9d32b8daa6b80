import grpc
import pytest

from trunkline import Retry, TrunklineError
from trunkline.retry import RESUMES, Attempts

NO_JITTER = Retry(jitter=lambda: 1.0)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def unsent(retry_after=None):
    return TrunklineError(
        "CONNECT_FAILED",
        "",
        status=grpc.StatusCode.UNAVAILABLE,
        sent=False,
        retryable=True,
        retry_after=retry_after,
    )


def test_backoff_doubles_up_to_the_cap_and_ends():
    attempts = Attempts(Retry(attempts=5, base_s=1, cap_s=3, jitter=lambda: 1.0))
    delays = []
    for _ in range(5):
        assert attempts.begin() is None
        delays.append(attempts.delay(unsent()))
    assert delays == [1, 2, 3, 3, None]


def test_jitter_takes_up_to_half():
    attempts = Attempts(Retry(base_s=1, jitter=lambda: 0.0))
    attempts.begin()
    assert attempts.delay(unsent()) == 0.5


@pytest.mark.parametrize(
    ("status", "sent"),
    [
        (grpc.StatusCode.UNAVAILABLE, None),
        (grpc.StatusCode.UNAVAILABLE, True),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, False),
        (grpc.StatusCode.ABORTED, True),
    ],
)
def test_nothing_else_is_tried_again(status, sent):
    attempts = Attempts(NO_JITTER)
    attempts.begin()
    assert attempts.delay(TrunklineError("X", "", status=status, sent=sent, retryable=True)) is None


def test_never_before_the_service_asked_for():
    attempts = Attempts(NO_JITTER)
    attempts.begin()
    assert attempts.delay(unsent(retry_after=2.0)) == pytest.approx(2.1)


def test_a_long_wait_is_the_callers_business():
    attempts = Attempts(Retry(patience_s=5))
    attempts.begin()
    assert attempts.delay(unsent(retry_after=5.1)) is None


def test_the_deadline_spans_all_tries_and_begins_with_the_first():
    clock = Clock()
    attempts = Attempts(NO_JITTER, timeout=10, clock=clock)
    clock.now += 100
    assert attempts.begin() == 10
    clock.now += 4
    assert attempts.delay(unsent()) == pytest.approx(0.1)
    assert attempts.begin() == pytest.approx(6)
    clock.now += 5.9
    assert attempts.delay(unsent()) is None
    clock.now += 5
    assert attempts.begin() == 0


def lost(status=grpc.StatusCode.UNAVAILABLE):
    return TrunklineError("UNAVAILABLE", "", status=status)


def test_a_lost_call_is_made_again_only_where_it_is_resumed():
    attempts = Attempts(Retry(base_s=1, cap_s=10, jitter=lambda: 1.0), resumes=True)
    delays = []
    for _ in range(1 + RESUMES):
        attempts.begin()
        delays.append(attempts.delay(lost()))
    assert delays == [1, 2, 4, 8, 10, 10, 10, 10, None]
    plain = Attempts(NO_JITTER)
    plain.begin()
    assert plain.delay(lost()) is None


@pytest.mark.parametrize("status", [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_other_endings_are_not_resumed(status):
    attempts = Attempts(NO_JITTER, resumes=True)
    attempts.begin()
    assert attempts.delay(lost(status)) is None
    reported = TrunklineError("UPSTREAM_ERROR", "", status=grpc.StatusCode.INTERNAL, reported=True)
    assert attempts.delay(reported) is None


def test_an_event_renews_the_tries():
    attempts = Attempts(NO_JITTER, resumes=True)
    for _ in range(3 * RESUMES):
        attempts.begin()
        attempts.progressed()
        assert attempts.delay(lost()) == pytest.approx(0.1)


def test_after_a_lost_try_nobody_knows_what_was_sent():
    attempts = Attempts(NO_JITTER, resumes=True)
    attempts.begin()
    assert attempts.verdict(unsent()).sent is False
    attempts.delay(lost())
    assert attempts.verdict(unsent()).sent is None
