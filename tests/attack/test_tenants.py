"""Tenants with tokens of their own, who take what is the others': turns, lines, memory, labels."""

import asyncio
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc, session_pb2, session_pb2_grpc
from service.telemetry.bounds import SHOWN_CHARACTERS
from service.wire.lifecycle import MAX_ID_CHARACTERS, MAX_MODEL_CHARACTERS
from simulator.scripts import Gate, Script, Start
from tests.attack.victim import BEARER, MEBIBYTE, victim
from tests.integration.faults.raw import ANSWER, STREAM, Event, as_stream, upstream
from tests.integration.service.talk import PATIENCE_S, Failure
from tests.otlp import http_receiver
from tests.stack import MODEL, request

TENANTS = ("alpha", "beta")
ALPHA, BETA = (("authorization", "Bearer alpha"),), (("authorization", "Bearer beta"),)
PEAK_MIB = 150
PAGE_BYTES = 100_000
LINE_CHARACTERS = 20 * SHOWN_CHARACTERS
LONG = "x" * MEBIBYTE
OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own
]


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


@pytest.fixture
def auth_file(tmp_path) -> Path:
    """Two tenants without any limits."""
    path: Path = tmp_path / "tenants.toml"
    path.write_text("".join(f'[tenants.{name}]\ntoken_sha256 = ["{digest(name)}"]\n' for name in TENANTS))
    return path


class Caller:
    """One channel, and what comes of its calls."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.aio.insecure_channel(address, OPTIONS)
        self._turns: Any = completion_pb2_grpc.CompletionServiceStub(self.channel)
        self._sessions: Any = session_pb2_grpc.SessionServiceStub(self.channel)

    async def __aenter__(self):
        await self.channel.channel_ready()  # so that it knows how many streams it may open
        return self

    async def __aexit__(self, *_):
        await self.channel.close(None)

    async def turn(self, asked: pb.StreamCompletionRequest, metadata=BEARER) -> pb.Done:
        events = [event async for event in self._turns.StreamCompletion(asked, metadata=metadata)]
        done: pb.Done = events[-1].done
        return done

    async def warm(self, session: str, metadata, *, prime: bool = False) -> str:
        """OK, or the reason why not and what was reported."""
        wanted = session_pb2.WarmSessionRequest(session_id=session, model=MODEL, prime=prime)
        try:
            await self._sessions.WarmSession(wanted, metadata=metadata, timeout=PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            failure = Failure(error)
            return f"{failure.reason}: {failure.message}"
        return "OK"


async def test_warm_ups_are_no_way_around_the_limit_of_turns(simulator, auth_file):
    auth_file.write_text(auth_file.read_text().replace("[tenants.alpha]", "[tenants.alpha]\nmax_turns = 2"))
    for _ in range(2):
        simulator.enqueue(Script(Start(), Gate("go")), warm_up=True)
    async with (
        victim(simulator.url, AUTH_FILE=str(auth_file)) as service,
        Caller(service.address) as caller,
    ):
        warm_ups = [asyncio.create_task(caller.warm(f"s{n}", ALPHA, prime=True)) for n in range(200)]
        await simulator.wait_for(lambda: simulator.stats.in_flight == 2, PATIENCE_S)
        async with asyncio.timeout(PATIENCE_S):
            while sum(task.done() for task in warm_ups) < 198:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        simulator.open_gate("go")
        reported = Counter(await asyncio.gather(*warm_ups))
        assert reported["OVERLOADED: tenant 'alpha' has 2 turns already, its limit (max_turns)"] > 0
        # On a busy machine some are refused before: their message did not arrive in its grace.
        assert {kind.partition(":")[0] for kind in reported} == {"OK", "OVERLOADED"}
        assert reported["OK"] == 2
        assert simulator.stats.max_in_flight == 2


@pytest.mark.heavy
async def test_a_flood_of_warm_ups_leaves_the_other_tenant_s_lines_alone(simulator, auth_file):
    settings = {"AUTH_FILE": str(auth_file), "MAX_CONNECTIONS": "40", "CONNECT_TIMEOUT_S": "2"}
    async with (
        AsyncExitStack() as stack,
        victim(simulator.url, **settings) as service,
        Caller(service.address) as caller,
    ):
        many: list[Caller] = [await stack.enter_async_context(Caller(service.address)) for _ in range(5)]
        for number in range(5):
            await caller.turn(request("Hello.", session=f"b{number}"), BETA)
        began = time.monotonic()
        together = asyncio.Semaphore(500)  # above 1,000 that it has not looked at, grpc drops some by chance

        async def warm(number: int) -> str:
            async with together:
                outcome: str = await many[number % len(many)].warm(f"a{number}", ALPHA)
                return outcome

        flood = [asyncio.create_task(warm(number)) for number in range(1500)]
        await simulator.wait_for(lambda: simulator.stats.open_connections >= 30, PATIENCE_S)
        new = await caller.turn(request("Hello.", session="new"), BETA)
        assert new.report.transport == pb.TRANSPORT_WEBSOCKET
        reported = Counter(outcome.partition(":")[0] for outcome in await asyncio.gather(*flood))
        took = time.monotonic() - began
        assert set(reported) == {"OK", "OVERLOADED"}
        handshakes = simulator.stats.handshakes
        for number in range(5):
            done = await caller.turn(request("Hello.", session=f"b{number}"), BETA)
            assert done.report.connection_reused
        assert simulator.stats.handshakes == handshakes
        # The burst, then half of it a second, and the six lines of the other tenant.
        assert handshakes <= 64 + 32 * took + 6


LONG_NAMES: list[dict[str, Any]] = [
    {"model": LONG},
    {"request_id": LONG},
    {"session": LONG},
    {"options": {"service_tier": LONG}},
    {"options": {"reasoning": {"effort": LONG}}},
    {"options": {"truncation": LONG}},
    {"options": {"prompt_cache_key": LONG}},
    {"options": {"safety_identifier": LONG}},
    {"options": {"metadata": {LONG: LONG}}},
]


async def test_long_names_leave_metrics_spans_log_and_memory_small(simulator):
    async with http_receiver() as (received, collector):
        switches = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_METRICS_EXPORTER": "none"}
        settings = {"METRICS_LISTEN": "127.0.0.1:0", "LOG_LEVEL": "debug"}
        async with (
            victim(simulator.url, **switches, **settings) as service,
            Caller(service.address) as caller,
            httpx.AsyncClient(trust_env=False) as scraper,
        ):
            metrics = await service.program.says(r"metrics on ([\d.:]+)")
            for number, names in enumerate(LONG_NAMES * 4):
                asked = request("Hello.", **{"session": f"s{number}"} | names)
                try:
                    await caller.turn(asked)
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017
            await caller.turn(request("Hello."))
            page = ""
            async with asyncio.timeout(PATIENCE_S):  # it is counted after the call
                while f'gen_ai_request_model="{MODEL}"' not in page:
                    page = (await scraper.get(f"http://{metrics}/metrics", timeout=PATIENCE_S)).text
            assert len(page) <= PAGE_BYTES
            peak = service.peak_mib()
            service.program.process.send_signal(signal.SIGTERM)
            assert await service.program.ends() == 0
        assert (
            max(len(line) for said in service.program.said for line in said.splitlines()) <= LINE_CHARACTERS
        )
        assert received.spans
        assert max(span.ByteSize() for span in received.spans) <= 40 * SHOWN_CHARACTERS
        assert peak <= PEAK_MIB


async def test_what_an_upstream_calls_itself_is_cut(simulator):
    said = {"id": "r" * 5_000_000, "model": "m" * 5_000_000}
    begun, *middle, ended = ANSWER
    events: list[Event] = [
        {"type": begun["type"], "response": said},
        *middle,
        {"type": ended["type"], "response": said},
    ]

    async def handle(reader, writer, head):
        writer.write(STREAM + as_stream(events))
        await writer.drain()

    async with (
        upstream(handle) as url,
        victim(url) as service,
        Caller(service.address) as caller,
    ):
        done = await caller.turn(request("Hello.", options={"transport": pb.TRANSPORT_SSE}))
        assert (len(done.report.response_id), len(done.model)) == (MAX_ID_CHARACTERS, MAX_MODEL_CHARACTERS)
        assert service.peak_mib() <= PEAK_MIB
