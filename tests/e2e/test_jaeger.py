"""A conversation as a real Jaeger shows it: read from its query API.

These tests are skipped where there is no Jaeger.
"""

import asyncio
import os
import re
import sys
from contextlib import asynccontextmanager, suppress

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from service.gen.trunkline.v1 import session_pb2, session_pb2_grpc
from simulator import Simulator
from simulator.scripts import Drop, Fail, Hang, Say, Script, Start
from tools.trace import jaeger, tree
from trunkline import AsyncClient, TextDelta, TrunklineError

MODEL = "gpt-5.6"
CALL = "trunkline.v1.CompletionService/StreamCompletion"
PATIENCE_S = 60.0
PROGRAM = jaeger.find()

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="no jaeger on PATH, and JAEGER_BIN names none: real traces were not tested"
)


@pytest.fixture(scope="module")
def collector():
    assert PROGRAM is not None
    with jaeger.running(PROGRAM) as running:
        yield running


@asynccontextmanager
async def service(simulator, collector):
    """A process of its own. Its spans travel over gRPC, the caller's over HTTP."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("TRUNKLINE_", "OTEL_"))
    }
    environ |= {
        "OPENAI_API_KEY": "k",
        "TRUNKLINE_LISTEN": "127.0.0.1:0",
        "TRUNKLINE_UPSTREAM_URL": simulator.url,
        "TRUNKLINE_COOLDOWN_S": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp_grpc,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", env=environ, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        line = (await process.stderr.readline()).decode()
        found = re.search(r"listening on (127\.0\.0\.1:\d+)", line)
        assert found, line
        yield found[1]
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def caller(address, collector, name, monkeypatch):
    """A client that traces, as a service of this name."""
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{collector.otlp_http}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    try:
        async with AsyncClient(address) as client:
            yield client.conversation(model=MODEL)
    finally:
        await asyncio.to_thread(provider.shutdown)


async def left_in_the_middle(conversation):
    async with conversation.stream("Never mind.") as turn:
        async for event in turn:
            if isinstance(event, TextDelta):
                break


async def unconnected(address, session):
    """The service has seen that its connection is gone. A turn before that tries it: another span."""
    wanted = session_pb2.GetSessionRequest(session_id=session)
    async with asyncio.timeout(PATIENCE_S), grpc.aio.insecure_channel(address) as channel:
        stub = session_pb2_grpc.SessionServiceStub(channel)
        while (await stub.GetSession(wanted)).session.live:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)


async def talk(simulator, address, conversation):
    """One turn of each kind, in this order."""
    await conversation.stream("Hello.").result()
    await conversation.stream("And?").result()
    simulator.settings.refuse_websocket, simulator.settings.refuse_times = 426, 1
    simulator.drop_all()
    await unconnected(address, conversation.session_id)
    await conversation.stream("Over HTTP then.").result()
    simulator.enqueue(Script(Say("Half of", closed=False), Hang()))
    await left_in_the_middle(conversation)
    simulator.enqueue(Script(Say("Half of", closed=False), Fail()))
    with suppress(TrunklineError):
        await conversation.stream("Fail.").result()
    simulator.enqueue(Script(Start(), Drop()))
    await conversation.stream("Once more.").result()


TURNS = ["first", "incremental", "fallback", "cancelled", "failed", "replay"]


@pytest.fixture(scope="module")
def turns(collector):
    """Return the trace of each turn of a conversation, as Jaeger returns it."""

    async def play():
        with pytest.MonkeyPatch.context() as monkeypatch:
            async with (
                Simulator() as simulator,
                service(simulator, collector) as address,
                caller(address, collector, "caller", monkeypatch) as conversation,
            ):
                await talk(simulator, address, conversation)

    async def asked():
        await play()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                found = await asyncio.to_thread(collector.traces, "caller")
                if [whole(one) for one in found] == [True] * len(TURNS):
                    return found
                await asyncio.sleep(0.1)

    return dict(zip(TURNS, asyncio.run(asked()), strict=True))


def whole(found):
    names = [span["operationName"] for span in found["spans"]]
    return names.count(CALL) == 2 and f"chat {MODEL}" in names


def spans_of(found):
    """Caller, service, and what is below that."""
    (root,) = tree.read(found)
    (server,) = root.children
    return root, server, server.children


def test_both_sides_are_there(collector, turns):
    assert {"caller", "trunkline"} <= set(collector.services())
    for found in turns.values():
        root, server, below = spans_of(found)
        assert (root.name, root.service, root.tags["span.kind"]) == (CALL, "caller", "client")
        assert (server.name, server.service, server.tags["span.kind"]) == (CALL, "trunkline", "server")
        assert {span.service for span in below} == {"trunkline"}
        assert {span.name for span in below} == {"session.acquire", f"chat {MODEL}"}
        assert server.tags["rpc.system.name"] == "grpc"
        assert (
            server.tags["gen_ai.conversation.id"]
            == spans_of(turns["first"])[1].tags["gen_ai.conversation.id"]
        )


def test_successful_turns_have_no_failed_span(turns):
    for name in ("first", "incremental"):
        assert not [span.name for _, span in spans_of(turns[name])[0].walk() if span.failed]


def test_an_incremental_turn(turns):
    _, _, (dialing, _) = spans_of(turns["first"])
    _, server, (acquire, chat) = spans_of(turns["incremental"])
    (dial,) = dialing.children
    assert dial.name == "dial"
    assert acquire.links == [dial.id]
    assert acquire.children == []
    assert server.tags["rpc.response.status_code"] == "OK"
    assert (chat.tags["trunkline.context"], chat.tags["trunkline.context.reason"]) == (
        "incremental",
        "continued",
    )
    assert chat.tags["trunkline.bytes_saved"] > 0
    assert chat.tags["gen_ai.usage.cache_read.input_tokens"] > 0
    assert chat.tags["span.kind"] == "client"
    assert [name for _, name in chat.events] == ["sent", "created", "first_content", "terminal"]
    times = [at for at, _ in chat.events]
    assert times == sorted(times)


def test_a_fallback(turns):
    root, server, (acquire, chat) = spans_of(turns["fallback"])
    assert not root.failed
    assert not server.failed
    (dial,) = acquire.children
    assert acquire.failed
    assert dial.failed
    assert dial.tags["error.type"] == "CONNECT_FAILED"
    assert (chat.tags["trunkline.transport"], chat.tags["trunkline.transport.reason"]) == (
        "sse",
        "upgrade_refused",
    )


def test_a_cancelled_turn(turns):
    root, server, (_, chat) = spans_of(turns["cancelled"])
    assert root.tags["rpc.response.status_code"] == server.tags["rpc.response.status_code"] == "CANCELLED"
    assert (root.failed, server.failed, chat.failed) == (True, False, True)
    assert chat.tags["error.type"] == "CANCELLED"


def test_a_failed_turn(turns):
    root, server, (_, chat) = spans_of(turns["failed"])
    assert root.tags["rpc.response.status_code"] == server.tags["rpc.response.status_code"] == "INTERNAL"
    assert (root.failed, server.failed, chat.failed) == (True, True, True)
    assert chat.tags["error.type"] == "UPSTREAM_ERROR"
    assert chat.tags["trunkline.upstream.code"] == "server_error"


def test_a_replay(turns):
    root, server, below = spans_of(turns["replay"])
    assert [span.name for span in below] == ["session.acquire", f"chat {MODEL}"] * 2
    _, lost, _, again = below
    assert (root.failed, server.failed, lost.failed, again.failed) == (False, False, True, False)
    assert lost.tags["error.type"] == "CONNECTION_LOST"
    assert (lost.tags["trunkline.attempt"], again.tags["trunkline.attempt"]) == (1, 2)
    assert server.tags["trunkline.attempts"] == 2


def test_it_reads_as_text(turns):
    (root,) = tree.read(turns["replay"])
    text = "\n".join(tree.lines(root))
    assert text.count("✗") == 1
    assert "error CONNECTION_LOST" in text
