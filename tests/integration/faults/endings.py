"""How a turn ended, as its caller saw it: read once, and held against the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # annotated, not marked so
from grpc_status import rpc_status

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2
from simulator import Received
from tests.stack import Stack, kinds_of, request

STATUS = {
    "INVALID_REQUEST": grpc.StatusCode.INVALID_ARGUMENT,
    "CONTEXT_LENGTH_EXCEEDED": grpc.StatusCode.INVALID_ARGUMENT,
    "MESSAGE_TOO_BIG": grpc.StatusCode.INVALID_ARGUMENT,
    "UPSTREAM_AUTH": grpc.StatusCode.FAILED_PRECONDITION,
    "RATE_LIMITED": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "QUOTA_EXHAUSTED": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "OVERLOADED": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "CONNECT_FAILED": grpc.StatusCode.UNAVAILABLE,
    "SHUTTING_DOWN": grpc.StatusCode.UNAVAILABLE,
    "CONNECTION_LOST": grpc.StatusCode.ABORTED,
    "INTERRUPTED": grpc.StatusCode.ABORTED,
    "UPSTREAM_ERROR": grpc.StatusCode.INTERNAL,
    "PROTOCOL_ERROR": grpc.StatusCode.INTERNAL,
    "TIMEOUT": grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""What the contract promises for each reason. Written down a second time, so that a change of one shows."""

WIRES = {"websocket": pb.TRANSPORT_WEBSOCKET, "http": pb.TRANSPORT_SSE}


@dataclass(frozen=True)
class Ended:
    """`requests` are those that reached the upstream meanwhile."""

    events: list[pb.StreamCompletionResponse]
    failure: grpc.aio.AioRpcError | None
    requests: list[Received]

    @property
    def kinds(self) -> list[str | None]:
        return kinds_of(self.events)

    @property
    def done(self) -> pb.Done:
        assert self.failure is None, self.failure
        return self.events[-1].done

    @property
    def error(self) -> pb.Error:
        return self.events[-1].error

    @property
    def code(self) -> grpc.StatusCode:
        assert self.failure is not None, self.kinds
        return self.failure.code()

    @property
    def reported(self) -> str:
        """The words of the status."""
        assert self.failure is not None, self.kinds
        return self.failure.details() or ""

    @property
    def info(self) -> error_details_pb2.ErrorInfo:
        found = self._detail(error_details_pb2.ErrorInfo())
        assert found is not None, "a status of ours without ErrorInfo"
        return found

    @property
    def retry_after(self) -> float | None:
        found = self._detail(error_details_pb2.RetryInfo())
        return None if found is None else found.retry_delay.ToTimedelta().total_seconds()

    @property
    def routes(self) -> str:
        """What the upstream was asked over, attempt by attempt."""
        return " ".join({"websocket": "ws", "http": "sse"}[received.transport] for received in self.requests)

    def _detail(self, kind: Any) -> Any:
        assert self.failure is not None, self.kinds
        status = rpc_status.from_call(cast(Any, self.failure))
        assert status is not None, self.failure
        return next((kind for detail in status.details if _unpacked(detail, kind)), None)

    def check(self) -> None:
        """What holds of every turn, whatever happened to it."""
        assert [event.sequence for event in self.events] == list(range(1, len(self.events) + 1))
        endings = [kind for kind in self.kinds if kind in ("done", "error")]
        assert self.kinds.count("start") <= 1
        if self.failure is None:
            assert self.kinds[0] == "start"
            assert endings == self.kinds[-1:] == ["done"]
            assert self.done.report.attempts == len(self.requests)
            return
        assert self.code == STATUS[self.info.reason]
        assert self.info.metadata["sent"] == ("true" if self.requests else "false")
        if not self.requests:
            assert self.events == []
            return
        assert self.code != grpc.StatusCode.UNAVAILABLE, "it says that nothing was sent"
        assert endings == self.kinds[-1:] == ["error"]
        assert self.kinds[0] == ("start" if len(self.events) > 1 else "error")
        self._check_error()

    def _check_error(self) -> None:
        """The event and the status say the same."""
        assert self.error.reason == self.info.reason
        assert self.error.message == self.reported
        assert self.error.HasField("retry_after") == (self.retry_after is not None)
        assert self.error.report.attempts == len(self.requests)
        assert self.error.report.transport == WIRES[self.requests[-1].transport]
        assert self.info.metadata["attempts"] == str(len(self.requests))
        assert self.info.metadata["events_emitted"] == str(len(self.events) - 1)


def _unpacked(detail: Any, into: Message) -> bool:
    return bool(detail.Unpack(into))


async def ended(replica: Stack, *said: message_pb2.Message | str, **fields: Any) -> Ended:
    """One turn, whatever becomes of it; it has kept the contract."""
    return await ended_call(replica, request(*(said or ("Hello.",)), **fields))


async def ended_call(replica: Stack, asked: pb.StreamCompletionRequest, **call: Any) -> Ended:
    before = replica.simulator.stats.requests_total
    events: list[pb.StreamCompletionResponse] = []
    failure = None
    try:
        async for event in replica.completions.StreamCompletion(asked, **call):
            events.append(event)  # noqa: PERF401  what came before the failure counts
    except grpc.aio.AioRpcError as error:
        failure = error
    came = replica.simulator.stats.requests_total - before
    found = Ended(events, failure, replica.simulator.requests[-came:] if came else [])
    found.check()
    return found
