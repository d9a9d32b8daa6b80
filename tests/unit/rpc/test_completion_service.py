"""Test what happens in the instant of a write, which no real channel does on demand."""

import asyncio
from typing import Any

import grpc
import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller
from service.rpc.auth.callers import CALLER
from service.rpc.completion_service import CompletionService, _Stream
from tests.integration.rpc.fakes import COMPLETED, STARTED, FakeManager, FakeTurn
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


class SlowContext:
    """The context of a call whose first write is slow and, interrupted, makes all others fail, as in grpc."""

    def __init__(self):
        self.written = []
        self.free = asyncio.Event()
        self.status = None

    async def write(self, message):
        if self.written == ["interrupted"]:
            raise grpc.aio.InternalError("Failed execute_batch")
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.written = ["interrupted"]
            raise
        self.written.append(message.WhichOneof("event"))

    async def abort(self, code, *_):
        self.status = code
        raise grpc.aio.AbortError


async def test_a_turn_whose_time_is_over_in_its_first_write_still_ends():
    context: Any = SlowContext()
    stream = _Stream(context)
    turn: Any = FakeTurn([], True)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await stream.send(STARTED, turn)
    assert context.written == []
    context.free.set()
    await asyncio.sleep(0)
    with pytest.raises(grpc.aio.AbortError):
        await stream.fail(TurnError(Reason.TIMEOUT, "too long"))
    assert (context.written, context.status) == (["start"], grpc.StatusCode.DEADLINE_EXCEEDED)
