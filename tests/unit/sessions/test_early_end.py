import pytest

from service.domain.errors import Reason
from service.sessions.early_end import early_end


@pytest.mark.parametrize(
    ("reason", "dispatched", "warms_up", "becomes", "says"),
    [
        (None, True, False, Reason.TIMEOUT, "the turn took longer than 5 s"),
        (None, False, True, Reason.TIMEOUT, "the warm-up took longer than 5 s"),
        (Reason.INTERRUPTED, True, False, Reason.INTERRUPTED, "the grace for running turns is over"),
        (Reason.INTERRUPTED, False, False, Reason.SHUTTING_DOWN, "nothing was sent"),
        (Reason.CANCELLED, True, False, Reason.CANCELLED, "CancelTurn"),
        (Reason.CANCELLED, False, False, Reason.CANCELLED, "CancelTurn"),
    ],
)
def test_the_error_says_who_ended_it(reason, dispatched, warms_up, becomes, says):
    error = early_end(reason, 5.0, warms_up=warms_up, dispatched=dispatched)
    assert error.reason is becomes
    assert says in error.message
