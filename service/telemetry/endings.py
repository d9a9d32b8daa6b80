"""Name how a turn, and each of its phases, ended."""

from __future__ import annotations

from service.domain.errors import Reason, TurnError
from service.domain.phases import Phase
from service.domain.turn_record import TurnRecord
from service.telemetry import calls
from service.telemetry.calls import Call

CUT_OFF_BY = {
    calls.CANCELLED: "caller",
    calls.DEADLINE_EXCEEDED: "deadline",
    Reason.INTERRUPTED.value: "drain",
}
"""Endings that came from outside the turn, and who caused them."""


def of_turn(record: TurnRecord, call: Call | None) -> str:
    """Return the ending of a turn that is over: OK if the answer is complete, whatever failed after it; else
    the reason of a TurnError; else the status of a call that was cut off; else INTERNAL, for a bug.
    """
    return calls.OK if record.completed is not None else of_error(record.error, call)


def of_error(error: BaseException | None, call: Call | None) -> str:
    """Return the ending of what an error ended; None: its call was cut off."""
    if isinstance(error, TurnError):
        return error.reason.value
    if error is None or isinstance(error, calls.CUT_OFF):
        return call.cut_off() if call is not None else calls.CANCELLED
    return Reason.INTERNAL.value


def of_phase(record: TurnRecord, phase: Phase, turn: str) -> str:
    """Return the ending of a phase of a turn that ended as `turn`. A phase that another one followed, and
    that did not fail, is OK.
    """
    return failure_of(phase) or (turn if phase is record.phases[-1] else calls.OK)


def failure_of(phase: Phase) -> str:
    """Return the reason for which a phase failed. Empty: it did not fail by a TurnError."""
    return phase.error.reason.value if isinstance(phase.error, TurnError) else ""
