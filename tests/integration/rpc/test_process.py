"""Test `python -m service` as a process: its output, and how it ends."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from service.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub
from tests.integration.rpc.test_completion import STREAM, UNARY, ended, failed, info


@asynccontextmanager
async def process(**settings):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    environ.pop("OPENAI_API_KEY", None)
    environ |= {"TRUNKLINE_LISTEN": "127.0.0.1:0", "TRUNKLINE_UPSTREAM_URL": "http://127.0.0.1:9/v1"}
    environ |= {f"TRUNKLINE_{name.upper()}": value for name, value in settings.items()}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", env=environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def address_of(running):
    line = await running.stderr.readline()
    found = re.fullmatch(
        r"trunkline listening on (127\.0\.0\.1:[1-9]\d*), upstream http://\S+", json.loads(line)["message"]
    )
    assert found, line
    return found[1]


@asynccontextmanager
async def channel_to(running):
    async with grpc.aio.insecure_channel(await address_of(running)) as channel:
        yield channel


@pytest.fixture
async def silence():
    """An upstream that accepts connections and sends nothing."""
    begun = asyncio.Event()

    async def take(reader, writer):
        begun.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://127.0.0.1:{port}/v1", begun


async def test_it_serves_until_a_signal_stops_it():
    async with process() as running, channel_to(running) as channel:
        status = await HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert status.status == health_pb2.HealthCheckResponse.SERVING
        running.send_signal(signal.SIGINT)
        assert await running.wait() == 0


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux schedules threads separately")
async def test_no_thread_of_grpc_takes_the_core_from_the_loop():
    async with process() as running:
        await address_of(running)
        threads = {int(thread.name) for thread in Path(f"/proc/{running.pid}/task").iterdir()}  # noqa: ASYNC240  no disk
        assert os.sched_getscheduler(running.pid) == os.SCHED_OTHER
        others = {os.sched_getscheduler(thread) for thread in threads - {running.pid}}
    assert others == {os.SCHED_BATCH}


async def test_invalid_settings_are_reported_line_by_line():
    async with process(max_turns="many", listn="x") as running:
        said = (await running.communicate())[1].decode()
    assert running.returncode == 2
    assert said.splitlines() == [
        "trunkline: TRUNKLINE_LISTN is not a setting; did you mean TRUNKLINE_LISTEN?",
        "trunkline: TRUNKLINE_MAX_TURNS must be a whole number from 0 to 1073741824",
    ]


async def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        async with process(listen=listen) as running:
            said = (await running.communicate())[1].decode()
    assert running.returncode == 2
    assert said.splitlines()[-1].startswith("trunkline: TRUNKLINE_LISTEN cannot be served: 127.0.0.1:")


@pytest.mark.parametrize("hook", ["no_such_module:hook", "os:no_such_function", "os:sep"])
async def test_an_unavailable_hook_stops_the_start(hook):
    async with process(payload_hook=hook) as running:
        said = (await running.communicate())[1].decode()
    assert running.returncode == 2
    assert said.startswith("trunkline: TRUNKLINE_PAYLOAD_HOOK ")


async def test_an_available_hook_is_used():
    async with process(payload_hook="os:fspath") as running:
        await address_of(running)
        running.terminate()
        assert await running.wait() == 0


async def test_a_drain_reports_refuses_and_waits_until_a_second_signal(silence):
    url, begun = silence
    async with process(upstream_url=url) as running, channel_to(running) as channel:
        completion = CompletionServiceStub(channel)
        watch = HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        turn = asyncio.ensure_future(ended(completion.StreamCompletion(STREAM)))
        await begun.wait()
        running.terminate()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        refused = await failed(completion.Complete(UNARY))
        assert (refused.code(), info(refused)[0]) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert not turn.done()
        running.terminate()
        assert await running.wait() == -signal.SIGTERM
        messages, error = await turn
        assert (messages, error.code()) == ([], grpc.StatusCode.UNAVAILABLE)
        watch.cancel()


async def test_a_call_during_an_idle_drain_is_refused():
    async with process(drain_notice_s="60") as running, channel_to(running) as channel:
        await HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        running.terminate()
        await unhealthy(channel)
        refused = await failed(CompletionServiceStub(channel).Complete(UNARY))
        assert (refused.code(), info(refused)[0]) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        running.terminate()
        assert await running.wait() == -signal.SIGTERM


async def unhealthy(channel):
    async for answer in HealthStub(channel).Watch(health_pb2.HealthCheckRequest()):
        if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
            return


async def test_a_turn_that_outlasts_the_grace_is_interrupted(silence):
    url, begun = silence
    async with process(upstream_url=url, drain_grace_s="0") as running, channel_to(running) as channel:
        turn = asyncio.ensure_future(ended(CompletionServiceStub(channel).StreamCompletion(STREAM)))
        await begun.wait()
        running.terminate()
        messages, error = await turn
        assert (messages, info(error)[0]) == ([], "SHUTTING_DOWN")
        assert await running.wait() == 0
