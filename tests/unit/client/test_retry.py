import grpc
import pytest

from trunkline import Retry, TrunklineError
from trunkline.retry import Attempts

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
