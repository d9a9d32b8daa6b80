"""Say why a turn ended before its time, or at its end: `early_end`."""

from __future__ import annotations

from service.domain.errors import Reason, TurnError


def early_end(reason: Reason | None, limit_s: float, *, warms_up: bool, dispatched: bool) -> TurnError:
    """Return the error for a turn that was cut short: by its time (None), by the drain, or by its caller."""
    match reason:
        case None:
            what = "warm-up" if warms_up else "turn"
            message = f"the {what} took longer than {limit_s:g} s (TRUNKLINE_TURN_TIMEOUT_S)"
            return TurnError(Reason.TIMEOUT, message)
        case Reason.CANCELLED:
            return stopped()
    if not dispatched:
        return TurnError(Reason.SHUTTING_DOWN, "the service is shutting down; nothing was sent")
    message = "the service is shutting down, and the grace for running turns is over"
    return TurnError(reason, message)


def stopped() -> TurnError:
    """Return the error for a turn that was stopped because nobody wants it."""
    return TurnError(Reason.CANCELLED, "the turn was stopped, by CancelTurn or because nobody read it")
