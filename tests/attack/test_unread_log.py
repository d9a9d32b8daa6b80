"""A log that nobody reads, on a full disk, or closed from the start: turns, health and SIGTERM go on."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from service.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub
from tests.e2e.conftest import PATIENCE_S, ROOT
from tests.stack import request

PIPE_BYTES = 4096
"""As small as the system makes a pipe: a few lines fill it."""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@asynccontextmanager
async def service(upstream, stderr, **options):
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    environ |= {
        "OPENAI_API_KEY": "k",
        "TRUNKLINE_UPSTREAM_URL": upstream,
        "TRUNKLINE_LISTEN": f"127.0.0.1:{port}",
        "TRUNKLINE_DRAIN_GRACE_S": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service"), cwd=ROOT, env=environ, stderr=stderr, **options
    )
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            async with asyncio.timeout(PATIENCE_S):
                await channel.channel_ready()
            yield process, channel
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def turns(channel, number):
    stub = CompletionServiceStub(channel)
    for _ in range(number):
        events = [event async for event in stub.StreamCompletion(request("Hello."), timeout=PATIENCE_S)]
        assert events[-1].WhichOneof("event") == "done"


async def ends(process):
    """The exit code after SIGTERM, and how long that took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        return await process.wait(), time.monotonic() - began


def read_all(descriptor):
    data = b""
    while part := os.read(descriptor, 1 << 16):
        data += part
    return data


async def test_nobody_reads_the_pipe(simulator):
    read, write = os.pipe()
    try:
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        async with service(simulator.url, write) as (process, channel):
            os.close(write)
            await turns(channel, 30)
            check = await HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
            assert check.status == health_pb2.HealthCheckResponse.SERVING
            code, took = await ends(process)
        assert code == 0
        assert took < 10, "its grace, a second for the last lines, and a margin"
    finally:
        os.close(read)


async def test_the_reader_is_gone(simulator):
    read, write = os.pipe()
    os.close(read)
    async with service(simulator.url, write) as (process, channel):
        os.close(write)
        await turns(channel, 3)
        assert (await ends(process))[0] == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a device")
async def test_the_disk_of_the_log_is_full(simulator):
    with Path("/dev/full").open("wb") as full:  # noqa: ASYNC230  a device
        async with service(simulator.url, full, stdout=full) as (process, channel):
            await turns(channel, 3)
            assert (await ends(process))[0] == 0


async def test_nothing_is_lost_where_somebody_reads(simulator):
    read, write = os.pipe()
    reading = asyncio.create_task(asyncio.to_thread(read_all, read))
    try:
        async with service(simulator.url, write) as (process, channel):
            os.close(write)
            await turns(channel, 50)
            assert (await ends(process))[0] == 0
        lines = [json.loads(line) for line in (await reading).splitlines()]
    finally:
        os.close(read)
    told = [line["message"] for line in lines]
    assert told.count("turn") == 50
    assert any(line.startswith("draining") for line in told)


async def test_all_standard_files_are_closed_at_the_start(simulator):
    def close():
        for descriptor in range(3):
            with suppress(OSError):
                os.close(descriptor)

    async with service(simulator.url, None, preexec_fn=close) as (process, channel):
        await turns(channel, 3)
        for number in range(3):
            target = os.readlink(f"/proc/{process.pid}/fd/{number}")  # noqa: PTH115  async code has no Path
            assert target == "/dev/null", "nothing else took the number of the log"
        assert (await ends(process))[0] == 0


async def test_hangup_and_the_user_signals_end_nothing(simulator):
    async with service(simulator.url, asyncio.subprocess.PIPE) as (process, channel):
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            process.send_signal(number)
        await turns(channel, 1)
        process.send_signal(signal.SIGTERM)
        said = (await process.communicate())[1].decode()
    assert process.returncode == 0
    assert "SIGHUP: the files are read again" in said
