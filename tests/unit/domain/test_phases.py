from types import SimpleNamespace
from typing import Any

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
    exchange: Any = SimpleNamespace(sent_at=None)
    report: Any = None
    attempt = Attempt(1.0, 1, report, exchange)
    assert attempt.sent_at is None
    exchange.sent_at = 2.0
    assert attempt.sent_at == 2.0
