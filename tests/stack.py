"""The whole service on real sockets, in one process: a caller's channel → gRPC → manager → the simulator.

A test says what is different about its settings and its upstream, and nothing
else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc

from service.app import upstreams_of
from service.config.settings import load
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc, message_pb2, session_pb2_grpc
from service.rpc.server import Server
from service.rpc.settings import ServerSettings
from service.runtime import memory
from service.sessions.manager import Manager
from service.sessions.pool import Pool
from service.sessions.settings import SessionSettings
from service.sessions.upstreams import Upstreams
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.pace import Pace
from service.transport.upstream import Upstream
from simulator import Settings as SimulatorSettings
from simulator import Simulator

MODEL = "simulated-1"


@dataclass
class Stack:
    """A running service and what stands on both its sides."""

    simulator: Simulator
    manager: Manager
    upstreams: Upstreams
    server: Server
    address: str
    channel: grpc.aio.Channel
    completions: Any
    sessions: Any

    @property
    def pool(self) -> Pool:
        """That of the first upstream."""
        return next(iter(self.upstreams)).pool

    @property
    def upstream(self) -> Upstream:
        return next(iter(self.upstreams)).upstream

    @contextmanager
    def connecting_within(self, limit_s: float) -> Iterator[None]:
        """Waits for a connection end after that time within the block."""
        upstream, waits = self.upstream, self.upstream.waits
        upstream.waits = replace(waits, connect_s=limit_s)
        try:
            yield
        finally:
            upstream.waits = waits

    async def turn(
        self, request: pb.StreamCompletionRequest, **call: Any
    ) -> list[pb.StreamCompletionResponse]:
        """The events of one turn; grpc.aio.AioRpcError where it fails."""
        return [event async for event in self.completions.StreamCompletion(request, **call)]

    async def done(self, request: pb.StreamCompletionRequest, **call: Any) -> pb.Done:
        """The end of a turn that must end well."""
        last = (await self.turn(request, **call))[-1]
        assert last.WhichOneof("event") == "done", last
        return last.done


@asynccontextmanager
async def stack(
    settings: Mapping[str, str] | None = None,
    *,
    upstream: SimulatorSettings | None = None,
    hook: Callable[[dict[str, Any]], object] | None = None,
    key: str = "k",
    pace: Pace | None = None,
    environ: Mapping[str, str] | None = None,
    telemetry: Telemetry = OFF,
) -> AsyncIterator[Stack]:
    """A service with these settings (names without prefix), its simulator, and a channel to it. `environ`:
    what else the service finds in its environment. `telemetry`: what it records with.
    """
    async with Simulator(port=0, settings=upstream or SimulatorSettings()) as simulator:
        environment = {f"TRUNKLINE_{name}": value for name, value in (settings or {}).items()}
        one = {} if "UPSTREAMS_FILE" in (settings or {}) else {"TRUNKLINE_UPSTREAM_URL": simulator.url}
        loaded = load(
            {"TRUNKLINE_LISTEN": "127.0.0.1:0", "OPENAI_API_KEY": key}
            | one
            | environment
            | dict(environ or {})
        )
        upstreams = upstreams_of(loaded, hook, pace=pace, telemetry=telemetry)
        manager = Manager(loaded.part(SessionSettings), upstreams, trim=memory.trim, telemetry=telemetry)
        server = Server(loaded.part(ServerSettings), manager, telemetry)
        manager.start()
        address = await server.start()
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                yield Stack(
                    simulator,
                    manager,
                    upstreams,
                    server,
                    address,
                    channel,
                    completion_pb2_grpc.CompletionServiceStub(channel),
                    session_pb2_grpc.SessionServiceStub(channel),
                )
        finally:
            await server.stop(0)
            await manager.close()


def user(text: str) -> message_pb2.Message:
    return message_pb2.Message(
        role=message_pb2.ROLE_USER, parts=[message_pb2.Part(text=message_pb2.TextPart(text=text))]
    )


def request(
    *messages: message_pb2.Message | str, session: str = "s1", **fields: Any
) -> pb.StreamCompletionRequest:
    """A turn of the session; a string is what the user says. `options` may be a dict."""
    said = [user(message) if isinstance(message, str) else message for message in messages]
    return pb.StreamCompletionRequest(
        session_id=session, model=fields.pop("model", MODEL), messages=said, **fields
    )


def text_of(events: list[pb.StreamCompletionResponse]) -> str:
    return "".join(event.text_delta.delta for event in events)


def kinds_of(events: list[pb.StreamCompletionResponse]) -> list[str | None]:
    return [event.WhichOneof("event") for event in events]
