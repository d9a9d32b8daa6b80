"""An exception becomes one failure; a bug of the service shows neither text nor values."""

from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.rpc.failure import NOTHING_SENT, end, failure_of


class AbortedError(Exception):
    pass


class Context:
    """What a call's context receives; `abort` raises as that of grpc does."""

    async def abort(self, code, details, trailing_metadata):
        self.status = code, details, trailing_metadata
        raise AbortedError


def raised(error: Exception) -> Exception:
    try:
        raise error  # noqa: TRY301  it needs a traceback
    except Exception as caught:  # noqa: BLE001  whatever it is
        return caught


def test_an_expected_failure_stays_itself_without_frames(caplog):
    error = raised(TurnError(Reason.OVERLOADED, "full"))
    assert failure_of(error) is error
    assert error.__traceback__ is None
    assert caplog.records == []


def test_a_bug_becomes_internal_and_logs_its_place(caplog):
    failure = failure_of(raised(ValueError("s3cret")))
    assert failure.reason is Reason.INTERNAL
    assert "s3cret" not in failure.message + caplog.text
    assert "ValueError" in caplog.text
    assert "test_failure.py" in caplog.text


async def test_a_call_ends_with_the_status_of_its_failure():
    context: Any = Context()
    with pytest.raises(AbortedError):
        await end(context, TurnError(Reason.OVERLOADED, "full"), NOTHING_SENT)
    code, details, trailing = context.status
    assert code.name == "RESOURCE_EXHAUSTED"
    assert "full" in details
    assert trailing
