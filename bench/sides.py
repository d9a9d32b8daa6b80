"""Measure servers side by side in one run, by turns: the common part of `bench.compare` and `bench.guard`.

The servers run on the first core; simulator, sink and callers share the last. Needs Linux, and nothing but
the locked packages. CPU time is that of a server's process, from before the first call of a round until
shortly after the last one: a service publishes and exports the telemetry of a turn after its call.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.replica import ROOT, cpu_s, program
from trunkline import AsyncClient, TextDelta
from trunkline.messages import user

TOKEN = "a-token-of-the-benchmark"  # noqa: S105
SETTLE_S = 0.4
"""Some of EXPORT_DELAY_MS: the spans of a round are exported before its CPU time is read."""

EXPORT_DELAY_MS = 100
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """A load: in each round every stream makes so many calls, one after another.

    `per` is what the CPU time is divided by.
    """

    name: str
    per: str
    streams: int
    calls: int
    deltas: int
    pace_ms: int = 0

    def unit(self, deltas: int) -> float:
        return deltas / (self.deltas if self.per == "call" else 1)


CALL = Case("one-delta call", "call", streams=20, calls=25, deltas=1)
DELTA = Case("paced delta", "delta", streams=50, calls=1, deltas=125, pace_ms=20)
CASES = (CALL, DELTA)


@dataclass(frozen=True)
class Figures:
    """One round: CPU time of the server for a call or delta, and the median time to a call's first delta."""

    cpu_us: float
    first_ms: float


@dataclass
class Side:
    """A server and its client."""

    pid: int
    client: AsyncClient

    async def round(self, case: Case) -> Figures:
        before = cpu_s(self.pid)
        waits: list[float] = []
        deltas = sum(
            await asyncio.gather(*(self._stream(case, number, waits) for number in range(case.streams)))
        )
        if deltas == 0:
            sys.exit(f"{case.name}: no deltas arrived")
        await asyncio.sleep(SETTLE_S)
        return Figures((cpu_s(self.pid) - before) / case.unit(deltas) * 1e6, median(waits) * 1e3)

    async def _stream(self, case: Case, number: int, waits: list[float]) -> int:
        """Make the calls of a stream and return the number of deltas.

        The text directs the simulator, the model the bare server.
        """
        await asyncio.sleep(number * case.pace_ms / case.streams / 1000)
        text, count = f"sim:slow(n={case.deltas}, delay_ms={case.pace_ms})", 0
        model = f"bench-{case.deltas}x{case.pace_ms}"
        for _ in range(case.calls):
            began, first = time.perf_counter(), 0.0
            turn = self.client.stream(session_id=f"s{number}", model=model, messages=[user(text)])
            async for event in turn:
                if isinstance(event, TextDelta):
                    first = first or time.perf_counter()
                    count += len(event.delta) > 0
            waits.append(first - began)
        return count


class Sides:
    """The servers of a run, with the upstream and the OTLP sink that they share. A context manager."""

    def __init__(self) -> None:
        self.running: dict[str, Side] = {}
        self._stack = AsyncExitStack()
        self._cores = sorted(os.sched_getaffinity(0))

    async def __aenter__(self) -> Sides:
        os.sched_setaffinity(0, {self._cores[-1]})  # The simulator inherits the core.
        _, self._upstream = await self._stack.enter_async_context(program("simulator", "--port", "0"))
        self._sink = await self._stack.enter_async_context(sink())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def service(self, name: str, *, checkout: Path = ROOT, telemetry: bool) -> None:
        """Start the service of a checkout, with this interpreter and its packages.

        With telemetry every turn is traced and exported, and metrics are exported and served.
        """
        on = {
            "TRUNKLINE_METRICS_LISTEN": "127.0.0.1:0",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._sink,
            "OTEL_TRACES_SAMPLER": "always_on",
            "OTEL_BSP_SCHEDULE_DELAY": str(EXPORT_DELAY_MS),
        }
        settings = {
            "TRUNKLINE_LISTEN": "127.0.0.1:0",
            "TRUNKLINE_UPSTREAM_URL": self._upstream,
            "OPENAI_API_KEY": "k",
            "TRUNKLINE_AUTH_TOKENS": f"{TOKEN}=bench",
        }
        await self._start(
            name, "service", checkout, settings | (on if telemetry else {"OTEL_SDK_DISABLED": "true"})
        )

    async def floor(self, name: str) -> None:
        """Start the bare grpc.aio server."""
        await self._start(name, "bench.floor", ROOT, {})

    async def _start(self, name: str, module: str, checkout: Path, settings: Mapping[str, str]) -> None:
        pid, address = await self._stack.enter_async_context(program(module, checkout=checkout, **settings))
        pin(pid, self._cores[0])
        client = await self._stack.enter_async_context(AsyncClient(address, token=TOKEN))
        self.running[name] = Side(pid, client)

    async def measure(self, cases: Sequence[Case], rounds: int) -> dict[Case, dict[str, list[Figures]]]:
        """Return the rounds of each server. Every other round takes the servers in reverse order.

        One round more is made and not returned: it opens connections and fills caches.
        """
        figures: dict[Case, dict[str, list[Figures]]] = {}
        for number in range(rounds + 1):
            for case in cases:
                order = list(self.running) if number % 2 else list(reversed(self.running))
                for name in order:
                    one = await self.running[name].round(case)
                    sys.stderr.write(
                        f"round {number} of {rounds}: {case.name}, {name}: {one.cpu_us:.0f} µs\n"
                    )
                    if number:
                        figures.setdefault(case, {}).setdefault(name, []).append(one)
        return figures


def pin(pid: int, core: int) -> None:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


@asynccontextmanager
async def sink() -> AsyncIterator[str]:
    """Serve an OTLP endpoint that accepts and discards every request; yield its URL."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length))
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
