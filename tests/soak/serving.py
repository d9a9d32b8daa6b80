"""The service as a process of its own, whose memory and tasks can be counted: `serving`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc

from tests.ports import free_ports

PATIENCE_S = 60.0


class Served:
    """A running service: its address, and what it holds."""

    def __init__(self, address: str, process: asyncio.subprocess.Process) -> None:
        self.address = address
        self._process = process

    async def census(self) -> dict[str, int]:
        """Return what it holds now; `tests.soak.served` says what is counted."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
        answer: dict[str, int] = json.loads(line)
        return answer


@asynccontextmanager
async def serving(settings: Mapping[str, str], problems: list[str]) -> AsyncIterator[Served]:
    """Run the service with these variables. An exit code other than 0 is a problem."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    environ |= {**settings, "TRUNKLINE_LISTEN": address}
    command = [sys.executable, "-m", "tests.soak.served"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdin=pipe, stdout=pipe)
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), PATIENCE_S)
        yield Served(address, process)
    finally:
        if process.returncode is None:
            process.terminate()
        if code := await process.wait():
            problems.append(f"the service ended with {code}")
