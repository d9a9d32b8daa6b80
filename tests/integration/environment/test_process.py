"""The service as a process in environments that are not kind to it."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # annotated, not marked so
from grpc_status import rpc_status

import trunkline
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from simulator import Settings, Simulator
from tests.e2e.conftest import Program, running
from tests.otlp import grpc_receiver, http_receiver
from tests.stack import request

AUTO = pb.CompletionOptions()
WEBSOCKET = pb.CompletionOptions(transport=pb.TRANSPORT_WEBSOCKET)
SSE = pb.CompletionOptions(transport=pb.TRANSPORT_SSE)
PATIENCE_S = 30.0
DEAD_PROXY = "http://127.0.0.1:9"


@pytest.fixture
async def simulator():
    async with Simulator(port=0, settings=Settings()) as running:
        yield running


@asynccontextmanager
async def serving(module: str, upstream: str, **environment: str) -> AsyncIterator[tuple[Program, Any]]:
    settings = {"TRUNKLINE_LISTEN": "127.0.0.1:0", "TRUNKLINE_UPSTREAM_URL": upstream, "OPENAI_API_KEY": "k"}
    async with running(["-m", module], **settings | environment) as program:
        address = await program.says(r"listening on ([\d.:]+)")
        async with grpc.aio.insecure_channel(address, (("grpc.enable_http_proxy", 0),)) as channel:
            yield program, completion_pb2_grpc.CompletionServiceStub(channel)


async def turn(stub: Any, options: pb.CompletionOptions, session: str) -> Any:
    call = stub.StreamCompletion(request("Hello.", session=session, options=options), timeout=PATIENCE_S)
    return [event async for event in call][-1]


def details_of(error: grpc.aio.AioRpcError) -> tuple[Any, Any]:
    """ErrorInfo and RetryInfo."""
    status = rpc_status.from_call(cast(Any, error))
    assert status is not None
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    return info, retry


async def modules(program: Program) -> set[str]:
    program.process.send_signal(signal.SIGUSR1)
    return set((await program.says(r"modules (.*)")).split())


async def test_nothing_is_imported_after_the_start(simulator):
    """An import opens files, and fails where there are none left: in the middle of a turn, as a bug."""
    upstream = simulator.url.replace("127.0.0.1", "localhost")
    async with serving("tests.integration.environment.observed", upstream) as (program, stub):
        before = await modules(program)
        for options in (SSE, WEBSOCKET):
            await turn(stub, options, "s1")
        bad = request("Hello.", session="s2", options=SSE, model="")
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Complete(bad, timeout=PATIENCE_S)
        assert sorted(await modules(program) - before) == []
    async with serving("tests.integration.environment.observed", "http://localhost:1/v1") as (program, stub):
        before = await modules(program)
        for options in (SSE, WEBSOCKET):
            with pytest.raises(grpc.aio.AioRpcError):
                await turn(stub, options, "s1")
        assert sorted(await modules(program) - before) == []


async def files(program: Program, number: signal.Signals) -> None:
    program.process.send_signal(number)
    await program.says(r"files (\w+)")


async def test_a_lack_of_files_is_no_verdict_on_the_upstream(simulator):
    """New turns are refused as by any other limit, a warm line goes on, and afterwards all is as it was."""
    upstream = simulator.url.replace("127.0.0.1", "localhost")
    async with serving("tests.integration.environment.full", upstream) as (program, stub):
        await turn(stub, WEBSOCKET, "warm")
        await files(program, signal.SIGUSR1)
        for options in (AUTO, WEBSOCKET, SSE) * 2:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await turn(stub, options, "new")
            info, retry = details_of(caught.value)
            assert (info.reason, info.metadata["sent"]) == ("OVERLOADED", "false")
            assert retry.retry_delay.ToSeconds() == 1
        assert (await turn(stub, WEBSOCKET, "warm")).HasField("done")
        await files(program, signal.SIGUSR2)
        done = (await turn(stub, AUTO, "new")).done
        assert done.report.transport == pb.TRANSPORT_WEBSOCKET
        assert done.report.transport_reason == "preferred"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"HTTPS_PROXY": "nonsense://me:secret@x"}, "HTTPS_PROXY must be the URL of an HTTP proxy"),
        ({"ALL_PROXY": "socks5://me:secret@x:1"}, "ALL_PROXY names a SOCKS proxy"),
        ({"SSL_CERT_FILE": "/nowhere"}, "SSL_CERT_FILE names /nowhere"),
        ({"TRUNKLINE_UPSTREAM_CA": "/nowhere"}, "TRUNKLINE_UPSTREAM_CA names /nowhere"),
        ({"TRUNKLINE_TLS_RELAXED": "yes"}, "TRUNKLINE_TLS_RELAXED must be 1"),
        ({"TRUNKLINE_UPSTREAM_URL": "https://api.example.org/v1/responses"}, "without /responses"),
    ],
)
async def test_a_wrong_network_is_one_line_and_exit_code_2(environment, says):
    async with running(
        ["-m", "service"], **{"OPENAI_API_KEY": "k", "TRUNKLINE_LISTEN": "127.0.0.1:0"} | environment
    ) as it:
        assert await it.ends() == 2
    reported = "".join(it.said)
    assert says in reported
    assert "secret" not in reported
    assert len(reported.splitlines()) == 1


async def test_the_route_is_logged_without_credentials(simulator):
    environment = {"HTTP_PROXY": "http://me:secret@proxy.test:3128"}
    settings = {"TRUNKLINE_LISTEN": "127.0.0.1:0", "TRUNKLINE_UPSTREAM_URL": "http://upstream.test/v1"}
    async with running(["-m", "service"], **settings | environment) as program:
        assert "http://proxy.test:3128 (HTTP_PROXY)" in await program.says(r"is reached (.*)")
        assert await program.says(r"(TRUNKLINE_UPSTREAM_URL is http)")
    assert "secret" not in "".join(program.said)


@pytest.mark.parametrize(
    ("protocol", "receiver"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)]
)
@pytest.mark.parametrize("no_proxy", ["", "elsewhere"])
async def test_a_collector_on_loopback_is_reached_directly(simulator, protocol, receiver, no_proxy):
    async with receiver() as (received, where):
        environment = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": where + ("/v1/traces" if "http/" in protocol else ""),
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "http_proxy": DEAD_PROXY,
            "https_proxy": DEAD_PROXY,
            "NO_PROXY": no_proxy,
        }
        async with serving("service", simulator.url, **environment) as (_, stub):
            await turn(stub, SSE, "s1")
            async with asyncio.timeout(PATIENCE_S):
                while not received.spans:  # noqa: ASYNC110  it announces nothing
                    await asyncio.sleep(0.02)


@pytest.mark.parametrize("face", ["Client", "AsyncClient"])
async def test_the_python_client_reaches_loopback_directly(simulator, monkeypatch, face):
    async with serving("service", simulator.url) as (program, _):
        address = re.search(r"listening on ([\d.:]+)", "".join(program.said))
        assert address is not None
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, DEAD_PROXY)
        kind = getattr(trunkline, face)(address[1], timeout=PATIENCE_S)
        asked = {"session_id": "s", "model": "m", "messages": [trunkline.user("Hello.")]}
        if face == "AsyncClient":
            async with kind as client:
                done = await client.complete(**asked)
        else:
            with kind as client:
                done = await asyncio.to_thread(lambda: client.complete(**asked))
        assert done.text
