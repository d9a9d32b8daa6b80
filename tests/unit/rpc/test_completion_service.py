"""Test a caller who leaves in the instant of a write, which no real channel does on demand."""

from typing import Any

import grpc
import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller
from service.rpc.auth.callers import CALLER
from service.rpc.completion_service import CompletionService
from tests.integration.rpc.fakes import COMPLETED, STARTED, FakeManager
from tests.integration.rpc.test_completion import STREAM
from tests.parts import server_settings


class LeftContext:
    """The context of a call whose caller has left, but whose task is not cancelled yet."""

    def __init__(self):
        self.written = 0

    async def write(self, _message):
        self.written += 1
        raise grpc.aio.InternalError("Failed execute_batch")

    async def abort(self, *_status):
        raise AssertionError("the caller has left")


@pytest.mark.parametrize(
    "steps",
    [[[STARTED, COMPLETED]], [TurnError(Reason.CONNECTION_LOST, "gone")]],
    ids=["an event", "the error"],
)
async def test_grpc_handles_a_write_to_a_caller_who_left(caplog, steps):
    CALLER.set(Caller())
    manager: Any = FakeManager()
    context: Any = LeftContext()
    manager.steps = steps
    with pytest.raises(grpc.aio.InternalError):
        await CompletionService(manager, server_settings()).StreamCompletion(
            STREAM.SerializeToString(), context
        )
    assert context.written == 1
    assert manager.turns[0].left.is_set()
    assert caplog.records == []
