import pytest

from service.domain.errors import Reason, TurnError
from service.domain.phases import Acquisition, Attempt, Phase

LOST = TurnError(Reason.CONNECTION_LOST, "gone")


@pytest.mark.parametrize("error", [None, LOST])
def test_a_phase_ends_once(error):
    phase = Phase(1.0)
    assert (phase.began, phase.ended) == (1.0, None)
    phase.end(2.0, error)
    phase.end(3.0, RuntimeError("later"))
    assert (phase.ended, phase.error) == (2.0, error)


def test_an_acquisition_has_asked_nobody_yet():
    acquisition = Acquisition(1.0)
    assert (acquisition.admitted_at, acquisition.asked_at, acquisition.leased_at) == (None, None, None)


def test_an_attempt_was_sent_when_its_exchange_was():
    class Exchange:
        sent_at: float | None = None

    exchange = Exchange()
    attempt = Attempt(1.0, 1, report=None, response=exchange)  # type: ignore[arg-type]  not read here
    assert attempt.sent_at is None
    exchange.sent_at = 2.0
    assert attempt.sent_at == 2.0
