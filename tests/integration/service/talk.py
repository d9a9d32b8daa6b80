"""What the tests say to the service, and how they read what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from simulator import Received
from tests.stack import Stack, request, text_of, user

PATIENCE_S = 30.0
"""How long an event may take that will come: a guard against a hang, no budget."""

SSE = {"transport": pb.TRANSPORT_SSE}
WEBSOCKET = {"transport": pb.TRANSPORT_WEBSOCKET}
LOOKUP = m.Tool(
    name="lookup",
    description="Looks something up.",
    parameters='{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}',
)


class Talk:
    """A caller who keeps the conversation and sends all of it with every turn."""

    def __init__(self, replica: Stack, session: str = "s1", **fields: Any) -> None:
        self.replica = replica
        self.session = session
        self.fields = fields
        self.messages: list[m.Message] = []
        self.events: list[pb.StreamCompletionResponse] = []

    def request(self, **fields: Any) -> pb.StreamCompletionRequest:
        return request(*self.messages, session=self.session, **self.fields | fields)

    async def say(self, *said: m.Message | str, **fields: Any) -> pb.Done:
        """One turn that ends well; what it answered is kept, as it came."""
        self.messages += [user(one) if isinstance(one, str) else one for one in said]
        self.events = await self.replica.turn(self.request(**fields))
        assert self.events[-1].WhichOneof("event") == "done", self.events[-1]
        done = self.events[-1].done
        self.messages.append(done.message)
        return done

    @property
    def text(self) -> str:
        return text_of(self.events)

    @property
    def received(self) -> Received:
        """The latest request as the upstream saw it."""
        return self.replica.simulator.requests[-1]


def tool_results(answer: m.Message, *extra: m.Part, text: str = "42") -> m.Message:
    """What the caller's tools gave for each call of an answer."""
    parts = [m.Part(text=m.TextPart(text=text)), *extra]
    return m.Message(
        role=m.ROLE_TOOL,
        parts=[
            m.Part(tool_result=m.ToolResultPart(call_id=part.tool_call.call_id, parts=parts))
            for part in answer.parts
            if part.HasField("tool_call")
        ],
    )


def context(done: pb.Done) -> tuple[bool, str]:
    """Whether the turn was incremental, and why or why not."""
    return done.report.context == pb.CONTEXT_INCREMENTAL, done.report.context_reason


def route(done: pb.Done) -> tuple[str, str]:
    """Over what the turn went, and why."""
    return pb.Transport.Name(done.report.transport).removeprefix("TRANSPORT_"), done.report.transport_reason


async def until(predicate: Callable[[], object]) -> None:
    """Waits for what only the service itself knows: where the upstream could tell, ask its `wait_for`."""
    async with asyncio.timeout(PATIENCE_S):
        while not predicate():  # noqa: ASYNC110  what is watched knows no events
            await asyncio.sleep(0.002)


async def failed(call: Awaitable[object]) -> Failure:
    """How a call failed that must fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, PATIENCE_S)
    return Failure(caught.value)


async def failed_stream(
    replica: Stack, wanted: pb.StreamCompletionRequest
) -> tuple[list[pb.StreamCompletionResponse], Failure]:
    """The events before a failure, too."""
    events: list[pb.StreamCompletionResponse] = []

    async def read() -> None:
        async for event in replica.completions.StreamCompletion(wanted):
            events.append(event)  # noqa: PERF401  what came before the failure counts

    return events, await failed(read())


class Failure:
    """A status, and what is packed into it."""

    def __init__(self, error: Any) -> None:
        self.code: grpc.StatusCode = error.code()
        self.message: str = error.details()
        self._status: Any = rpc_status.from_call(error)

    @property
    def info(self) -> Any:
        return self._detail(error_details_pb2.ErrorInfo)

    @property
    def reason(self) -> str:
        return str(self.info.reason)

    @property
    def sent(self) -> str:
        return str(self.info.metadata["sent"])

    @property
    def retry_s(self) -> float:
        """After how many seconds the caller may try again."""
        milliseconds: int = self._detail(error_details_pb2.RetryInfo).retry_delay.ToMilliseconds()
        return milliseconds / 1000

    @property
    def fields(self) -> list[str]:
        return [field.field for field in self._detail(error_details_pb2.BadRequest).field_violations]

    def _detail(self, kind: type[Any]) -> Any:
        found = kind()
        assert any(detail.Unpack(found) for detail in self._status.details), self._status
        return found
