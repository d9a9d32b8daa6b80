import asyncio
from typing import Any

import grpc
import pytest

from service.domain.errors import Reason, TurnError
from service.telemetry import endings
from tests.turn_records import LOST, a_record, admit, answered, attempt, lease


class LateCall:
    def cut_off(self):
        return "DEADLINE_EXCEEDED"


CALL: Any = LateCall()


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (LOST, "CONNECTION_LOST"),
        (asyncio.CancelledError(), "DEADLINE_EXCEEDED"),
        (GeneratorExit(), "DEADLINE_EXCEEDED"),
        (grpc.aio.InternalError("left"), "DEADLINE_EXCEEDED"),
        (None, "DEADLINE_EXCEEDED"),
        (ValueError("bug"), "INTERNAL"),
    ],
)
def test_an_unfinished_turn_is_named_by_what_ended_it(error, ending):
    record = attempt(lease(admit(a_record())))
    record.end(error)
    assert endings.of_turn(record, CALL) == ending


def test_without_a_call_a_turn_that_was_left_is_cancelled():
    record = a_record()
    record.end(None)
    assert endings.of_turn(record, None) == "CANCELLED"


def test_a_whole_answer_is_ok_whatever_follows():
    record = answered()
    record.end(LOST)
    assert endings.of_turn(record, CALL) == "OK"


def test_each_phase_has_an_ending_of_its_own():
    record = attempt(lease(admit(a_record())))
    record.failed(LOST)
    record.asked()
    record.end(TurnError(Reason.TIMEOUT, "late"))
    found = [endings.of_phase(record, phase, "TIMEOUT") for phase in record.phases]
    assert found == ["OK", "CONNECTION_LOST", "TIMEOUT"]
    assert [endings.failure_of(phase) for phase in record.phases] == ["", "CONNECTION_LOST", "TIMEOUT"]
