"""A service process under attack: its memory, its CPU, and how long its other callers wait.

Every attack is bounded in count and time, on the loopback address only.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import Program, running

MEBIBYTE = 2**20
TOKEN = "t0k3n"
BEARER = (("authorization", f"Bearer {TOKEN}"),)
SETTLED_S = 0.3


@dataclass
class Victim:
    """`address` is host:port of the gRPC server of the process `program`."""

    program: Program
    address: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def alive(self) -> bool:
        return self.program.process.returncode is None

    def rss_mib(self) -> float:
        return self._status_mib("VmRSS")

    def peak_mib(self) -> float:
        """The largest resident size since the start, or since `forget_peak`."""
        return self._status_mib("VmHWM")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.program.process.pid}/clear_refs").write_text("5")

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.program.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def files(self) -> int:
        return len(list(Path(f"/proc/{self.program.process.pid}/fd").iterdir()))

    def _status_mib(self, name: str) -> float:
        text = Path(f"/proc/{self.program.process.pid}/status").read_text()
        found = re.search(rf"{name}:\s+(\d+) kB", text)
        assert found is not None, text
        return int(found[1]) / 1024


@asynccontextmanager
async def victim(upstream: str, **settings: str) -> AsyncIterator[Victim]:
    """The service as a process, its settings named without the prefix; `OTEL_*` as they are."""
    environment = {
        "TRUNKLINE_LISTEN": "127.0.0.1:0",
        "TRUNKLINE_UPSTREAM_URL": upstream,
        "TRUNKLINE_AUTH_TOKENS": f"{TOKEN}=alpha",
        "TRUNKLINE_LOG_LEVEL": "error",
        "OPENAI_API_KEY": "k",
    } | {name if name.startswith("OTEL_") else f"TRUNKLINE_{name}": text for name, text in settings.items()}
    async with running(["-m", "service"], **environment) as program:
        yield Victim(program, await program.says(r"listening on ([\d.:]+)"))


@dataclass
class Waits:
    """What another caller met: its longest Health/Check in seconds, how many were made, how many failed."""

    worst_s: float = 0.0
    checks: int = 0
    failed: int = 0


@asynccontextmanager
async def probing(address: str) -> AsyncIterator[Waits]:
    """Asks Health/Check again and again from a process of its own, so that the test's work is not measured.

    The figures are filled in when the block ends.
    """
    waits = Waits()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.attack.probe", address, stdin=-1, stdout=-1
    )
    assert process.stdout is not None
    await process.stdout.readline()  # its first check was answered
    try:
        yield waits
    finally:
        await asyncio.sleep(SETTLED_S)  # the probe must meet what the last request left on the loop
        reported, _ = await process.communicate(b"")  # without input, Python 3.11 leaves it open
        worst, checks, failed = reported.split()
        waits.worst_s, waits.checks, waits.failed = float(worst), int(checks), int(failed)
