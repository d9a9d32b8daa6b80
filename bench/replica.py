"""Measure one replica: `python bench/replica.py --sessions 5000 --turns 200`. Linux only: it reads /proc.

The service runs against the simulator, each in its own process, and is measured empty, with idle
sessions (each with an open connection), and with turns at the pace of a person.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from trunkline import AsyncClient, TextDelta
from trunkline.messages import user

MODEL = "simulated-1"
PACE_S = 0.02
TURN_S = 10
"""Duration of a turn: 500 deltas at 50 a second."""
AT_ONCE = 64
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Snapshot:
    """Memory, open files and CPU time of a process at one moment."""

    mib: float
    files: int
    cpu_s: float
    at: float

    @classmethod
    def of(cls, pid: int) -> "Snapshot":
        proc = Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return cls(
            mib=int(status["VmRSS"].split()[0]) / 1024,
            files=len(list((proc / "fd").iterdir())),
            cpu_s=cpu_s(pid),
            at=time.monotonic(),
        )


def cpu_s(pid: int) -> float:
    """Return the CPU time of the process in seconds; finer than the ticks of /proc/PID/stat."""
    return time.clock_gettime((~pid << 3) | 2)


@asynccontextmanager
async def program(*arguments: str, checkout: Path = ROOT, **settings: str) -> AsyncIterator[tuple[int, str]]:
    """Run a module of a checkout as a process; yield its pid and the address that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", *arguments),
        cwd=checkout,
        env=os.environ | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        line = ""
        while "listening on " not in line:
            line = (await process.stdout.readline()).decode()
            if not line:
                sys.exit(f"{arguments[0]} did not start")
        # The rest of the output is not needed, but a full pipe would block the process.
        reader = asyncio.create_task(process.stdout.read())
        yield process.pid, line.partition("listening on ")[2].split()[0].rstrip(",")
        reader.cancel()
    finally:
        process.kill()
        await process.wait()


async def warm(client: AsyncClient, sessions: int) -> None:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await client.warm_session(f"s{number}", model=MODEL)

    await asyncio.gather(*(one(number) for number in range(sessions)))


async def talk(clients: list[AsyncClient], turns: int) -> int:
    """Run so many turns at once. Returns the number of deltas."""
    text = f"sim:slow(n={int(TURN_S / PACE_S)}, delay_ms={PACE_S * 1000})"

    async def one(number: int) -> int:
        turn = clients[number % len(clients)].stream(
            session_id=f"s{number}", model=MODEL, messages=[user(text)]
        )
        return sum([isinstance(event, TextDelta) async for event in turn])

    return sum(await asyncio.gather(*(one(number) for number in range(turns))))


async def measure(sessions: int, turns: int) -> Iterable[tuple[str, str]]:
    async with AsyncExitStack() as stack:
        _, upstream = await stack.enter_async_context(program("simulator", "--port", "0"))
        pid, address = await stack.enter_async_context(
            program(
                "service",
                TRUNKLINE_LISTEN="127.0.0.1:0",
                TRUNKLINE_UPSTREAM_URL=upstream,
                OPENAI_API_KEY="k",
                TRUNKLINE_SESSION_TTL_S="3600",
                TRUNKLINE_MAX_SESSIONS=str(sessions + 1),
                TRUNKLINE_MAX_CONNECTIONS=str(sessions + 1),
                TRUNKLINE_MAX_TURNS=str(max(turns, AT_ONCE) + 1),
            )
        )
        clients = [await stack.enter_async_context(AsyncClient(address)) for _ in range(4)]
        await warm(clients[0], 1)
        empty = Snapshot.of(pid)
        await warm(clients[0], sessions)
        idle = Snapshot.of(pid)
        await asyncio.sleep(TURN_S)
        rested = Snapshot.of(pid)
        running = asyncio.create_task(talk(clients, turns))
        await asyncio.sleep(TURN_S / 2)
        busy = Snapshot.of(pid)
        deltas = await running
        after = Snapshot.of(pid)
    resting, working = core_share(idle, rested), core_share(rested, after)
    cpu_us = (after.cpu_s - rested.cpu_s) / deltas * 1e6
    return (
        ("one replica", "measured"),
        ("---", "---"),
        ("empty", f"{empty.mib:.0f} MiB, {empty.files} files"),
        (f"{sessions} idle sessions", f"{idle.mib:.0f} MiB, {idle.files} files"),
        ("an idle session", f"{(idle.mib - empty.mib) * 1024 / sessions:.1f} KiB, 1 file (its connection)"),
        ("CPU while they rest", f"{resting:.1%} of a core (a ping each 20 s)"),
        (f"{turns} turns running", f"{busy.mib:.0f} MiB, {working:.0%} of a core"),
        ("a running turn", f"{max(busy.mib - idle.mib, 0) * 1024 / turns:.0f} KiB more"),
        ("a delta", f"{cpu_us:.0f} µs of CPU ({deltas} deltas)"),
    )


def core_share(before: Snapshot, after: Snapshot) -> float:
    """Return the share of a core that was used between two snapshots."""
    return (after.cpu_s - before.cpu_s) / (after.at - before.at)


def main() -> None:
    parser = argparse.ArgumentParser(description="What one replica holds.")
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--turns", type=int, default=200)
    options = parser.parse_args()
    rows = asyncio.run(measure(options.sessions, options.turns))
    sys.stdout.writelines(f"| {what} | {measured} |\n" for what, measured in rows)


if __name__ == "__main__":
    main()
