"""Other people's clients, each a process of its own, and a simulator for them.

`make agents` installs the clients, by package-lock.json and requirements/agents.lock, and runs the tests.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.agents.table import PROPERTY, table
from tests.e2e.conftest import PATIENCE_S, running

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Upstream:
    """A simulator in another process."""

    url: str

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(self._own("requests")).json()
        return found

    def stats(self) -> dict[str, int]:
        found: dict[str, int] = httpx.get(self._own("stats")).json()
        return found

    def change(self, **settings: Any) -> None:
        httpx.post(self._own("settings"), json=settings).raise_for_status()

    def enqueue(self, *directives: str) -> None:
        """Let the next requests be answered by these, one after the other."""
        httpx.post(self._own("enqueue"), json=directives).raise_for_status()

    def _own(self, name: str) -> str:
        return f"{self.url.removesuffix('/v1')}/sim/{name}"


@dataclass(frozen=True)
class Finished:
    """What a client left when it ended."""

    code: int
    lines: list[str]
    errors: str


@dataclass(frozen=True)
class Shell:
    """Runs clients in a home of their own, with nothing of the environment but PATH."""

    home: Path

    async def run(self, *command: str | Path, patience_s: float = PATIENCE_S, **environment: str) -> Finished:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.home,
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(patience_s):
                output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        # Not `splitlines`: JSON.stringify leaves U+2028 as it is, and a script sends it.
        lines = output.decode().removesuffix("\n").split("\n") if output else []
        return Finished(process.returncode or 0, lines, errors.decode())


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with running(["-m", "simulator", "--port", "0"]) as simulator:
        yield Upstream(await simulator.says(r"listening on (\S+)"))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of the adapters. The properties of a test reach this process from all others."""
    cells = [
        (tuple(value), outcome == "passed")
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == PROPERTY and report.when == "call"
    ]
    if cells:
        terminalreporter.write_sep("=", "adapters")
        for line in table(cells):
            terminalreporter.write_line(line)
