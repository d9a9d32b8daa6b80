"""The programs as they are run: `python -m service`, with `python -m simulator` as its upstream."""

import asyncio
import json
import os
import re
import sys
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.counted import numbers, pytest_terminal_summary  # noqa: F401  pytest finds them here

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0


@dataclass
class Program:
    """A running process, and what it has said so far."""

    process: asyncio.subprocess.Process
    said: list[str]

    async def says(self, pattern: str) -> str:
        """Reads on until a line matches; returns what the pattern's group found in it."""
        stream = self.process.stdout
        assert stream is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := (await stream.readline()).decode():
                self.said.append(line)
                if found := re.search(pattern, line):
                    return found[1]
        raise AssertionError(f"it ended and never said {pattern}:\n{''.join(self.said)}")

    async def ends(self) -> int:
        """Waits for the end. Returns the exit code."""
        async with asyncio.timeout(PATIENCE_S):
            rest, _ = await self.process.communicate()
        self.said.append(rest.decode())
        return await self.process.wait()


@asynccontextmanager
async def running(arguments: Sequence[str], **environment: str) -> AsyncIterator[Program]:
    """A process without any settings but these; killed if it still runs in the end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
    environ.pop("OPENAI_API_KEY", None)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env=environ | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield Program(process, [])
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@dataclass
class World:
    """A service and its upstream, each a process."""

    service: Program
    simulator: Program
    address: str
    upstream: str

    async def ask(self, path: str, body: Any = None) -> Any:
        """What the simulator's own endpoints say, such as /sim/stats."""
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.upstream.removesuffix('/v1')}{path}"
        answer = await asyncio.to_thread(urllib.request.urlopen, url, data, PATIENCE_S)
        with answer:
            return json.load(answer)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running(["-m", "simulator", "--port", "0", "--delay-ms", "2"]) as simulator:
        upstream = await simulator.says(r"listening on (\S+)")
        settings = {
            "TRUNKLINE_LISTEN": "127.0.0.1:0",
            "TRUNKLINE_UPSTREAM_URL": upstream,
            "OPENAI_API_KEY": "k",
        }
        async with running(["-m", "service"], **settings) as service:
            address = await service.says(r"listening on ([\d.:]+)")
            yield World(service, simulator, address, upstream)
