"""A log that nobody reads, on a full disk, or closed from the start: turns, health and SIGTERM go on."""

import asyncio
import fcntl
import itertools
import json
import os
import signal
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

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

PIPE_BYTES = 4096
"""As small as the system makes a pipe: a few lines fill it."""


LISTENING = "0A"


def port_of(process):
    """Where the process listens, as the system has it, since nobody may read its log. None: nowhere yet."""
    folder = Path(f"/proc/{process.pid}")
    sockets = set()
    for descriptor in (folder / "fd").iterdir():
        with suppress(OSError):  # it was closed meanwhile
            sockets.add(str(descriptor.readlink()))
    tables = [(folder / "net" / name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    for line in itertools.chain(*tables):
        _, local, _, state, *_, inode = line.split()[:10]
        if state == LISTENING and f"socket:[{inode}]" in sockets:
            return int(local.rpartition(":")[2], 16)
    return None


@asynccontextmanager
async def service(upstream, stderr, *, command=(sys.executable, "-m", "service"), **options):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    environ |= {
        "OPENAI_API_KEY": "k",
        "TRUNKLINE_UPSTREAM_URL": upstream,
        "TRUNKLINE_LISTEN": "127.0.0.1:0",
        "TRUNKLINE_DRAIN_GRACE_S": "1",
    }
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environ, stderr=stderr, **options)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while (port := port_of(process)) is None:
                assert process.returncode is None
                await asyncio.sleep(0.02)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
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
    reported = [line["message"] for line in lines]
    assert reported.count("turn") == 50
    assert any(line.startswith("draining") for line in reported)


async def test_all_standard_files_are_closed_at_the_start(simulator):
    closing = ("sh", "-c", 'exec "$0" -m service <&- >&- 2>&-', sys.executable)
    async with service(simulator.url, None, command=closing) as (process, channel):
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
