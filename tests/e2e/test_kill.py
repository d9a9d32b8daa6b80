"""kill -9 of the upstream in the middle of two hundred turns, and its return on the same port."""

import asyncio
import re
import signal
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # annotated, not marked so
from grpc_status import rpc_status

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from tests.e2e.conftest import PATIENCE_S, Program, World, running
from tests.e2e.fleet import until
from tests.stack import kinds_of, request

SSE = {"transport": pb.TRANSPORT_SSE}
KINDS: list[tuple[str, int, dict[str, Any]]] = [
    ("sim:slow(n=10000, delay_ms=20)", 110, {}),
    ("sim:slow(n=10000, delay_ms=20)", 60, SSE),
    ("sim:hang(at=created)", 20, {}),
    ("sim:hang", 10, {}),
]
"""What the turns are at, how many, and over what."""

TURNS = sum(number for _, number, _ in KINDS)
STREAMING = sum(number for text, number, _ in KINDS if "slow" in text)


class Caller:
    """One turn: what came, and how it ended."""

    def __init__(self, stub: Any, session: str, text: str, options: dict[str, Any]) -> None:
        self.events: list[pb.StreamCompletionResponse] = []
        self.failure: grpc.aio.AioRpcError | None = None
        asked = request(text, session=session, options=options)
        self.call = stub.StreamCompletion(asked, timeout=PATIENCE_S)
        self.task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            async for event in self.call:
                self.events.append(event)
        except grpc.aio.AioRpcError as error:
            self.failure = error

    @property
    def has_content(self) -> bool:
        """Whether anything of the answer has come: more than its start."""
        return any(kind not in ("start", "error") for kind in kinds_of(self.events))

    @property
    def ending(self) -> str:
        """`done`, or the reason; checks that the stream keeps to the grammar."""
        kinds = kinds_of(self.events)
        assert [event.sequence for event in self.events] == list(range(1, len(kinds) + 1))
        assert kinds.count("start") <= 1
        assert [kind for kind in kinds if kind in ("done", "error")] == kinds[-1:]
        if self.failure is None:
            return str(kinds[-1])
        assert self.failure.code() == grpc.StatusCode.ABORTED
        assert _info(self.failure).metadata["sent"] == "true"
        assert self.events[-1].error.reason == _info(self.failure).reason
        return self.events[-1].error.reason


def _info(failure: Any) -> Any:
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(failure)
    assert status is not None
    assert status.details[0].Unpack(info)
    return info


async def upstream(stack: AsyncExitStack, port: str) -> tuple[Program, str]:
    program = await stack.enter_async_context(running(["-m", "simulator", "--port", port]))
    return program, await program.says(r"listening on (\S+)")


async def test_each_turn_ends_once_and_the_next_ones_succeed():
    async with AsyncExitStack() as stack:
        simulator, url = await upstream(stack, "0")
        settings = {
            "TRUNKLINE_LISTEN": "127.0.0.1:0",
            "TRUNKLINE_UPSTREAM_URL": url,
            "TRUNKLINE_COOLDOWN_S": "1",
            "TRUNKLINE_CONNECT_TIMEOUT_S": "60",
            "TRUNKLINE_MAX_REQUEST_BYTES": "100000",  # so that no call is refused that the service reads late
            "OPENAI_API_KEY": "k",
        }
        service = await stack.enter_async_context(running(["-m", "service"], **settings))
        address = await service.says(r"listening on ([\d.:]+)")
        stack.push_async_callback(_stop, asyncio.create_task(_read_all(service)))
        world = World(service, simulator, address, url)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        stub = completion_pb2_grpc.CompletionServiceStub(channel)

        plan = [(text, options) for text, number, options in KINDS for _ in range(number)]
        callers = [Caller(stub, f"s{n}", text, options) for n, (text, options) in enumerate(plan)]
        await until(lambda: _all_run(world))
        await until(lambda: sum(len(caller.events) > 1 for caller in callers) == STREAMING)

        simulator.process.send_signal(signal.SIGKILL)
        await asyncio.gather(*(caller.task for caller in callers))
        assert Counter(caller.ending for caller in callers) == {"CONNECTION_LOST": TURNS}
        for caller in callers:
            # The kernel closes the sockets of a killed program one by one, the newest first. Until it comes
            # to the listening one it still accepts, and what had no content may be written once more.
            attempts = caller.events[-1].error.report.attempts
            assert attempts == 1 or (attempts == 2 and not caller.has_content)

        world.simulator, again = await upstream(stack, re.findall(r":(\d+)/", url)[0])
        assert again == url
        stats = await world.ask("/sim/stats")
        assert stats["handshakes"] == 0, "nobody asked for a line"
        after = [Caller(stub, f"s{n}", "sim:say", {}) for n in range(TURNS)]
        await asyncio.gather(*(caller.task for caller in after))
        assert Counter(caller.ending for caller in after) == {"done": TURNS}

        await until(lambda: _by_websocket(stub))  # the cool-down is over
        back = [Caller(stub, f"s{n}", "sim:say", {}) for n in range(TURNS)]
        await asyncio.gather(*(caller.task for caller in back))
        routes = {caller.events[-1].done.report.transport for caller in back}
        assert routes == {pb.TRANSPORT_WEBSOCKET}
        stats = await world.ask("/sim/stats")
        assert stats["handshakes"] <= TURNS + 1, "a line for each session, and no more"
        assert stats["open_connections"] == stats["handshakes"]


async def _read_all(program: Program) -> None:
    """A line a turn: nobody may let the pipe fill up."""
    assert program.process.stdout is not None
    async for line in program.process.stdout:
        program.said.append(line.decode())


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _all_run(world: World) -> bool:
    return bool((await world.ask("/sim/stats"))["in_flight"] == TURNS)


async def _by_websocket(stub: Any) -> bool:
    caller = Caller(stub, "probe", "sim:say", {})
    await caller.task
    assert caller.ending == "done"
    return bool(caller.events[-1].done.report.transport == pb.TRANSPORT_WEBSOCKET)
