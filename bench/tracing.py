"""Measure the CPU cost of tracing: `python -m bench.tracing`. Linux only: it reads /proc.

Prints the service's CPU per delta with tracing off and with every turn traced and exported, and their
ratio; both are measured by turns in one run, at 50 streams of 50 deltas a second.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bench.replica import MODEL, Snapshot, program
from trunkline import AsyncClient, TextDelta
from trunkline.messages import user

STREAMS = 50
PACE_S = 0.02
DELTAS = 200
"""In one turn: four seconds, an answer of some hundred words."""

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"


@dataclass
class Side:
    """A service, and the CPU time and deltas counted so far."""

    pid: int
    client: AsyncClient
    cpu_s: float = 0.0
    deltas: int = 0

    @property
    def per_delta_us(self) -> float:
        return self.cpu_s / self.deltas * 1e6

    async def round(self, turns: int) -> None:
        before = Snapshot.of(self.pid).cpu_s
        self.deltas += sum(await asyncio.gather(*(self._stream(number, turns) for number in range(STREAMS))))
        self.cpu_s += Snapshot.of(self.pid).cpu_s - before

    async def _stream(self, number: int, turns: int) -> int:
        text = f"sim:slow(n={DELTAS}, delay_ms={PACE_S * 1000})"
        count = 0
        for _ in range(turns):
            turn = self.client.stream(session_id=f"s{number}", model=MODEL, messages=[user(text)])
            count += sum([isinstance(event, TextDelta) async for event in turn])
        return count


@asynccontextmanager
async def collector() -> AsyncIterator[str]:
    """Serve a collector that accepts and discards every request; yields its URL."""

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


async def measure(rounds: int, turns: int) -> dict[str, Side]:
    async with AsyncExitStack() as stack:
        _, upstream = await stack.enter_async_context(program("simulator", "--port", "0"))
        url = await stack.enter_async_context(collector())
        environments = {"off": {"OTEL_SDK_DISABLED": "true"}, "on": {"OTEL_EXPORTER_OTLP_ENDPOINT": url}}
        sides = {}
        for name, environment in environments.items():
            settings = environment | {
                "TRUNKLINE_LISTEN": "127.0.0.1:0",
                "TRUNKLINE_UPSTREAM_URL": upstream,
                "OPENAI_API_KEY": "k",
                "TRUNKLINE_LOG_LEVEL": "error",
            }
            pid, address = await stack.enter_async_context(program("service", **settings))
            sides[name] = Side(pid, await stack.enter_async_context(AsyncClient(address)))
        for number in range(rounds):
            for side in sides.values():
                await side.round(turns)
            costs = ", ".join(f"{name} {side.per_delta_us:.1f} µs" for name, side in sides.items())
            sys.stderr.write(f"round {number + 1} of {rounds}: {costs}\n")
    return sides


def main() -> None:
    parser = argparse.ArgumentParser(description="What tracing costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--turns", type=int, default=2, help="of each stream in a round; one takes 4 s")
    options = parser.parse_args()
    sides = asyncio.run(measure(options.rounds, options.turns))
    off, on = sides["off"], sides["on"]
    sys.stdout.write(
        f"CPU of a delta, {STREAMS} streams x {1 / PACE_S:.0f}/s: tracing off {off.per_delta_us:.1f} µs,"
        f" every turn traced {on.per_delta_us:.1f} µs; off / on = {off.per_delta_us / on.per_delta_us:.3f}\n"
    )


if __name__ == "__main__":
    main()
