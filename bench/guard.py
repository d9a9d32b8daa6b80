"""`make bench-guard`: fail if a delta costs more CPU than recorded in guard.json.

The number is a ratio: CPU per delta of the service with authentication, traces and metrics on, over
that of the bare grpc.aio server, at 50 streams of 50 deltas a second. The two are measured by turns in
one run, so that a slow or busy machine slows both. The limit is the recorded ratio times a margin above
the noise. `--record` writes the ratio of this run into guard.json. Linux only; it needs nothing but the
locked packages.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.replica import program
from bench.tracing import collector
from trunkline import AsyncClient, TextDelta
from trunkline.messages import user

RECORD = Path(__file__).with_name("guard.json")
STREAMS = 50
DELTAS, PACE_MS = 125, 20
ROUNDS = 4
TRIES = 3
"""A busy machine can double the ratio of a run. A regression fails each of these tries."""
CORES = sorted(os.sched_getaffinity(0))


@dataclass
class Side:
    """One server with a client. `text` directs the simulator, `model` the bare server."""

    pid: int
    client: AsyncClient
    model: str
    text: str

    async def round(self) -> float:
        before = cpu_s(self.pid)
        deltas = sum(await asyncio.gather(*(self._stream(number) for number in range(STREAMS))))
        if deltas < STREAMS:
            sys.exit("guard: no deltas arrived")
        return (cpu_s(self.pid) - before) / deltas * 1e6

    async def _stream(self, number: int) -> int:
        await asyncio.sleep(number * PACE_MS / STREAMS / 1000)
        turn = self.client.stream(session_id=f"s{number}", model=self.model, messages=[user(self.text)])
        return sum([len(event.delta) > 0 async for event in turn if isinstance(event, TextDelta)])


def cpu_s(pid: int) -> float:
    """Return the CPU time of the process in seconds; finer than the ticks of /proc/PID/stat."""
    return time.clock_gettime((~pid << 3) | 2)


def pin(pid: int, core: int) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


async def measure() -> list[float]:
    os.sched_setaffinity(0, {CORES[-1]})  # The simulator inherits the core.
    async with AsyncExitStack() as stack:
        _, upstream = await stack.enter_async_context(program("simulator", "--port", "0"))
        traces = await stack.enter_async_context(collector())
        service = {
            "TRUNKLINE_LISTEN": "127.0.0.1:0",
            "TRUNKLINE_UPSTREAM_URL": upstream,
            "OPENAI_API_KEY": "k",
            "TRUNKLINE_AUTH_TOKENS": "guard=guard",
            "TRUNKLINE_METRICS_LISTEN": "127.0.0.1:0",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{traces}/v1/traces",
        }
        sides = []
        for command, settings in (("service", service), ("bench.floor", {})):
            pid, address = await stack.enter_async_context(program(command, **settings))
            pin(pid, CORES[0])
            client = await stack.enter_async_context(AsyncClient(address, token="guard"))  # noqa: S106
            model = f"bench-{DELTAS}x{PACE_MS}"
            sides.append(Side(pid, client, model, f"sim:slow(n={DELTAS}, delay_ms={PACE_MS})"))
        ratios = []
        for number in range(ROUNDS + 1):
            service_us, floor_us = [await side.round() for side in sides]
            if number:  # The first opens connections and fills caches.
                ratios.append(service_us / floor_us)
            sys.stderr.write(f"guard: service {service_us:.0f} µs a delta, floor {floor_us:.0f} µs\n")
        return ratios


def main() -> int:
    parser = argparse.ArgumentParser(description="Fail if a delta costs more CPU than recorded.")
    parser.add_argument("--record", action="store_true", help="record the ratio of this run as the reference")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        sys.stdout.write("bench-guard: skipped: reading the CPU time of another process needs Linux\n")
        return 0
    record = json.loads(RECORD.read_text())
    if options.record:
        ratio = median(asyncio.run(measure()))
        RECORD.write_text(json.dumps(record | {"ratio": round(ratio, 2)}, indent=1) + "\n")
        return 0
    return 0 if any(_within_limit(record["ratio"], record["margin"]) for _ in range(TRIES)) else 1


def _within_limit(recorded: float, margin: float) -> bool:
    ratios = asyncio.run(measure())
    ratio, limit = median(ratios), recorded * margin
    sys.stdout.write(
        f"bench-guard: CPU per delta, service over bare grpc.aio: {ratio:.2f} x ({min(ratios):.2f} to"
        f" {max(ratios):.2f}); recorded {recorded:.2f} x, limit {limit:.2f} x:"
        f" {'ok' if ratio <= limit else 'ABOVE THE LIMIT'}\n"
    )
    return ratio <= limit


if __name__ == "__main__":
    sys.exit(main())
