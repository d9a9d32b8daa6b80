"""Measure a warm turn against the length of its history: `python -m bench.histories`. Linux only.

A turn of each conversation goes in full, the next ones send two new messages each. Of these are measured:
the CPU time of the service, and how long one round of its event loop held it, in wall time: of the worst
round of each turn the median over the turns. Writes bench/results/histories.json.

The service runs with a selector that measures the time between its calls. It reports on SIGUSR1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from selectors import SelectorKey
from statistics import median

import grpc

from bench.replica import ROOT, program
from service.app import serve
from service.config.settings import load
from service.runtime.paced_loop import PacedSelector
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1 import message_pb2
from trunkline.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub

RESULT = ROOT / "bench/results/histories.json"
MESSAGES = (10, 100, 1_000, 2_000, 4_000, 9_900)
"""Of more than 4,096 items no session remembers what the upstream knows: such turns go in full."""

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
MOST_BYTES_EACH, LEAST_BYTES_EACH = 100_000, 10
TURNS = 5
SETTLE_S = 0.1


class Meter(PacedSelector):
    """Remember the longest time that the loop did not ask for ready sockets."""

    def __init__(self) -> None:
        super().__init__()
        self.held_s = 0.0
        self._since = time.perf_counter()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        self.held_s = max(self.held_s, time.perf_counter() - self._since)
        ready = super().select(timeout)
        self._since = time.perf_counter()
        return ready

    def report(self) -> None:
        """Print what was measured since the last report."""
        sys.stdout.write(f"{self.held_s} {time.process_time()}\n")
        sys.stdout.flush()
        self.held_s = 0.0


def serve_metered() -> int:
    """Serve as `python -m service` does, with the meter."""
    meter = Meter()

    async def run() -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, meter.report)
        return await serve(load(os.environ), meter)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(meter)) as runner:
        return runner.run(run())


class Metered:
    """The service in another process."""

    def __init__(self, process: asyncio.subprocess.Process, address: str) -> None:
        self._process = process
        self.address = address

    async def measured(self) -> tuple[float, float]:
        """Return the longest hold since the last call, and the CPU time since the start, in seconds."""
        await asyncio.sleep(SETTLE_S)
        self._process.send_signal(signal.SIGUSR1)
        assert self._process.stdout is not None
        held, cpu = (await self._process.stdout.readline()).split()
        return float(held), float(cpu)


@asynccontextmanager
async def metered(upstream: str) -> AsyncIterator[Metered]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.histories", "--serve"),
        cwd=ROOT,
        env=os.environ
        | {"TRUNKLINE_LISTEN": "127.0.0.1:0", "TRUNKLINE_UPSTREAM_URL": upstream, "OPENAI_API_KEY": "k"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        line = ""
        while "listening on " not in line:
            line = (await process.stderr.readline()).decode()
            if not line:
                sys.exit("the service did not start")
        drained = asyncio.create_task(process.stderr.read())
        address = json.loads(line)["message"].partition("listening on ")[2].split(",")[0]
        yield Metered(process, address)
        drained.cancel()
    finally:
        process.kill()
        await process.wait()


def message(role: message_pb2.Role.ValueType, text: str) -> message_pb2.Message:
    return message_pb2.Message(role=role, parts=[message_pb2.Part(text=message_pb2.TextPart(text=text))])


def history(number: int, size: int) -> list[message_pb2.Message]:
    """Return messages of both sides, the last one of the assistant, `size` bytes of text in all."""
    roles = (message_pb2.ROLE_USER, message_pb2.ROLE_ASSISTANT)
    return [message(roles[place % 2], f"{place:06d} ".ljust(size // number, "x")) for place in range(number)]


async def converse(service: Metered, number: int, size: int) -> dict[str, float]:
    """Return what a warm turn costs after so many messages of so many bytes in all."""
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(service.address, options=options) as channel:
        stub: CompletionServiceStub = CompletionServiceStub(channel)
        messages = history(number, size)
        cpu, held = [], []
        for turn in range(TURNS + 1):
            messages.append(message(message_pb2.ROLE_USER, f"And then? {turn}"))
            request = pb.StreamCompletionRequest(
                session_id=f"h-{number}-{size}", model="simulated-1", messages=messages
            )
            _, before = await service.measured()
            events = [event async for event in stub.StreamCompletion(request)]
            longest, after = await service.measured()
            done = events[-1].done
            if not done.message.parts:
                sys.exit(f"turn {turn} of {number} messages failed: {events[-1]}")
            if turn:
                cpu.append((after - before) * 1e3)
                held.append(longest * 1e3)
            messages.append(done.message)
    incremental = done.report.context == pb.CONTEXT_INCREMENTAL
    return {
        "messages": number,
        "bytes": size,
        "incremental": incremental,
        "cpu_ms": median(cpu),
        "held_ms": median(held),
    }


async def measure(messages: Sequence[int], sizes: Sequence[int]) -> list[dict[str, float]]:
    found = []
    async with program("simulator", "--port", "0") as (_, upstream), metered(upstream) as service:
        await converse(service, 10, 1_000)  # fills caches, and is not counted
        for size in sizes:
            for number in messages:
                if LEAST_BYTES_EACH <= size / number <= MOST_BYTES_EACH:
                    found.append(await converse(service, number, size))
                    row = found[-1]
                    sys.stdout.write(
                        f"{number:6} messages, {size / 1000:8.0f} kB: CPU {row['cpu_ms']:7.1f} ms,"
                        f" loop held {row['held_ms']:6.1f} ms"
                        f"{'' if row['incremental'] else ', in full'}\n"
                    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="A warm turn against the length of its history.")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--messages", type=int, nargs="+", default=MESSAGES)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="bytes of text in all")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.serve:
        return serve_metered()
    found = asyncio.run(measure(options.messages, options.sizes))
    options.result.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
