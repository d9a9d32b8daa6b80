"""Start the service for the demo, and a simulated upstream unless a real one is named.

The processes end with the demo, however it ends.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

ROOT = Path(__file__).resolve().parents[2]
READY_S = 30.0
END_S = 10.0
LOG_LINES = 15
MAX_LOG_BYTES = 65536
DIRECTLY = (("grpc.enable_http_proxy", 0),)
"""Channel options: connect to loopback without a proxy."""
DELTA_MS = 12
"""Pause before each delta: without it the simulated model is too fast to watch."""


class DemoError(Exception):
    """The demo cannot go on; the message is one line. Expected."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The service at `address`, and the environment of any further replica."""

    address: str
    upstream: str
    simulated: bool
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


@asynccontextmanager
async def running_stack() -> AsyncIterator[Stack]:
    async with AsyncExitStack() as stack:
        env = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
        upstream = os.environ.get("TRUNKLINE_UPSTREAM_URL", "")
        simulated = not (upstream and env.get("OPENAI_API_KEY"))
        if simulated:
            port = _free_port()
            simulator = ("simulator", "--port", str(port), "--delay-ms", str(DELTA_MS))
            await stack.enter_async_context(_running(simulator, env))
            upstream = f"http://127.0.0.1:{port}/v1"
            env["OPENAI_API_KEY"] = "simulated"
        address = f"127.0.0.1:{_free_port()}"
        env |= {
            "TRUNKLINE_LISTEN": address,
            "TRUNKLINE_UPSTREAM_URL": upstream,
            # All replicas seal continuation tokens with one key.
            "TRUNKLINE_CONTINUATION_KEY": base64.b64encode(os.urandom(32)).decode(),
            "TRUNKLINE_DRAIN_GRACE_S": "1",  # when the demo ends, no turn is running
        }
        service = await stack.enter_async_context(_running(("service",), env))
        await _wait_until_serving(address, service)
        yield Stack(address, upstream, simulated, env)


@asynccontextmanager
async def another_replica(stack: Stack) -> AsyncIterator[Replica]:
    """Start one more replica, before the same upstream."""
    address = f"127.0.0.1:{_free_port()}"
    async with _running(("service",), {**stack.environ, "TRUNKLINE_LISTEN": address}) as service:
        await _wait_until_serving(address, service)
        yield Replica(address, service)


@asynccontextmanager
async def two_upstreams() -> AsyncIterator[tuple[str, dict[str, Replica]]]:
    """Start a service with two simulated upstreams; the first is preferred. Yield its address and both."""
    async with AsyncExitStack() as stack:
        env = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
        upstreams = {}
        for name in ("first", "second"):
            port = _free_port()
            simulator = ("simulator", "--port", str(port), "--delay-ms", str(DELTA_MS))
            program = await stack.enter_async_context(_running(simulator, env))
            upstreams[name] = Replica(f"127.0.0.1:{port}", program)
        address = f"127.0.0.1:{_free_port()}"
        env |= {
            "TRUNKLINE_LISTEN": address,
            "TRUNKLINE_UPSTREAMS_FILE": stack.enter_context(_upstreams_file(upstreams)),
            "TRUNKLINE_DRAIN_GRACE_S": "1",
            "SIMULATED_KEY": "simulated",
        }
        service = await stack.enter_async_context(_running(("service",), env))
        await _wait_until_serving(address, service)
        yield address, upstreams


@contextmanager
def _upstreams_file(upstreams: Mapping[str, Replica]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        for name, upstream in upstreams.items():
            keys = '[{ env = "SIMULATED_KEY" }]'
            file.write(f'[upstreams.{name}]\nurl = "http://{upstream.address}/v1"\nkeys = {keys}\n')
        file.flush()
        yield file.name


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    process: asyncio.subprocess.Process
    log: IO[bytes]

    def last_output(self) -> str:
        output = os.pread(self.log.fileno(), MAX_LOG_BYTES, 0).decode(errors="replace")
        lines = output.splitlines()[-LOG_LINES:]
        return "\n".join(f"   {self.name}: {line}" for line in lines)


@dataclass(frozen=True, slots=True)
class Replica:
    """A replica, or an upstream, that the demo may kill."""

    address: str
    _program: _Program

    async def kill(self) -> None:
        """End it as a crash does: nothing is finished, and nothing is said."""
        self._program.process.kill()
        await self._program.process.wait()


@asynccontextmanager
async def _running(arguments: tuple[str, ...], env: Mapping[str, str]) -> AsyncIterator[_Program]:
    """Run a module in its own process group: Ctrl-C reaches only the demo, which then ends its children."""
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *arguments,
            cwd=ROOT,
            env=dict(env),
            stdout=log,
            stderr=log,
            process_group=0,
        )
        try:
            yield _Program(arguments[0], process, log)
        finally:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), END_S)
        finally:  # also after a second Ctrl-C: no process may be left
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _wait_until_serving(address: str, service: _Program) -> None:
    try:
        async with asyncio.timeout(READY_S), grpc.aio.insecure_channel(address, DIRECTLY) as channel:
            health = HealthStub(channel)
            while not await _serving(health):
                if service.process.returncode is not None:
                    raise DemoError(f"the service did not start:\n{service.last_output()}")
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise DemoError(f"the service is not ready after {READY_S:.0f} s:\n{service.last_output()}") from None


async def _serving(health: HealthStub) -> bool:
    try:
        answer = await health.Check(HealthCheckRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
