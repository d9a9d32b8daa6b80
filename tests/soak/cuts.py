"""A thousand turns whose callers' connections are cut at random points: `python -m tests.soak.cuts`.

Each caller names its turn by a key, speaks to the service through a proxy that cuts each connection after a
random number of bytes, and calls again with the sequence of the last event that it has. Every answer must be
whole, each event must come once and in order, and the upstream must get one request for each turn. When the
linger is over the service must hold nothing of them. The turns run in two halves, each to the end of its
linger, and the second must not leave more memory in use than the first: both keep as many turns at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # annotated, not marked so
from grpc_status import rpc_status

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from simulator import Settings, Simulator
from tests.soak.figures import GROWTH_BYTES, GROWTH_SHARE
from tests.soak.serving import PATIENCE_S, Served, serving
from tests.stack import request, text_of
from tests.tcp import tcp_server

LINGER_S = 10
"""Longer than a caller on a busy machine needs until it calls again."""
MOST_BYTES = 2000
"""A connection lives for at most so many bytes; an answer has about as many with all that gRPC adds."""
MOST_CUTS = 30
"""After so many cuts a caller's connections last."""

ANSWERS = ("sim:words(n=60)", "sim:slow(n=40, delay_ms=5)", "sim:reason", "sim:tools", "sim:parts")
TRANSPORTS = (pb.TRANSPORT_WEBSOCKET, pb.TRANSPORT_SSE)
CHANNEL = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]


@dataclass
class Cuts:
    """The figures of a run."""

    turns: int = 0
    whole: int = 0
    calls: int = 0
    attached: int = 0
    events: int = 0
    upstream: int = 0
    census: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Return the figures as text."""
        shown = f"{self.whole} of {self.turns} answers whole, {self.upstream} requests upstream"
        calls = f"{self.calls} calls, {self.attached} of them attached, {self.events} events"
        rss = ", ".join(f"{name} {counts['rss'] / 2**20:.1f} MiB" for name, counts in self.census.items())
        kept = ", ".join(f"{name} {counts['kept_turns']}" for name, counts in self.census.items())
        return "\n".join([shown, calls, f"rss: {rss}", f"kept turns: {kept}", *self.problems, ""])

    def judge(self) -> None:
        """Add a problem for everything that is not as it must be."""
        if not self.turns == self.whole == self.upstream:
            self.problems.append("PROBLEM: answers, turns and requests differ")
        end, start, warm = self.census["end"], self.census["start"], self.census["warm"]
        for name in ("kept_turns", "kept_bytes", "turns", "places"):
            if end[name]:
                self.problems.append(f"PROBLEM: {name}: {end[name]} are left")
        if end["tasks"] > start["tasks"]:
            self.problems.append(f"PROBLEM: tasks: {start['tasks']} at the start, {end['tasks']} in the end")
        if end["rss"] > warm["rss"] + max(GROWTH_BYTES, warm["rss"] * GROWTH_SHARE):
            self.problems.append("PROBLEM: rss has grown in the second half")


@asynccontextmanager
async def cutting_proxy(target: str, chance: Random) -> AsyncIterator[str]:
    """Relay connections to `target`, and cut each off after a random number of bytes, either way."""
    host, _, target_port = target.rpartition(":")

    async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter, left: list[int]) -> None:
        while left[0] > 0 and (data := await source.read(min(left[0], 512))):
            left[0] -= len(data)
            sink.write(data)
            await sink.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, to_upstream = await asyncio.open_connection(host, int(target_port))
        left = [chance.randrange(MOST_BYTES)]
        ways = [
            asyncio.create_task(relay(reader, to_upstream, left)),
            asyncio.create_task(relay(upstream, writer, left)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in (writer, to_upstream):
                side.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async with tcp_server(serve) as port:
        yield f"127.0.0.1:{port}"


class Callers:
    """Callers that resume their turns, through a proxy while it cuts and directly in the end."""

    def __init__(self, figures: Cuts, seed: int) -> None:
        self._figures = figures
        self._chance = Random(seed)

    async def turn(self, number: int, proxy: str, direct: str) -> None:
        """Get one answer whole, whatever it takes."""
        figures, events = self._figures, list[pb.StreamCompletionResponse]()
        wanted = request(
            f"{self._chance.choice(ANSWERS)} turn-{number}",
            session=f"s{number}",
            turn_key=f"k{number}",
            options={"linger": {"seconds": LINGER_S}, "transport": self._chance.choice(TRANSPORTS)},
        )
        figures.turns += 1
        for tries in range(MOST_CUTS + 3):
            figures.calls += 1
            wanted.after_sequence = len(events)
            try:
                await self._read(wanted, events, proxy if tries < MOST_CUTS else direct)
                break
            except grpc.aio.AioRpcError as error:
                if reason := _reason(error):
                    figures.problems.append(f"PROBLEM: turn {number}: {reason} {error.details()}")
                    return
        self._check(number, events)

    async def _read(
        self, wanted: pb.StreamCompletionRequest, events: list[pb.StreamCompletionResponse], address: str
    ) -> None:
        async with grpc.aio.insecure_channel(address, options=CHANNEL) as channel:
            stub = completion_pb2_grpc.CompletionServiceStub(channel)
            async for event in stub.StreamCompletion(wanted, timeout=PATIENCE_S):
                events.append(event)  # noqa: PERF401  what came before a cut counts

    def _check(self, number: int, events: list[pb.StreamCompletionResponse]) -> None:
        figures = self._figures
        figures.events += len(events)
        ended = bool(events) and events[-1].HasField("done")
        in_order = [event.sequence for event in events] == list(range(1, len(events) + 1))
        text = "".join(part.text.text for part in events[-1].done.message.parts) if ended else None
        if ended and in_order and text_of(events) == text:
            figures.whole += 1
            figures.attached += events[-1].done.report.attached
        else:
            shown = [(event.sequence, event.WhichOneof("event")) for event in events]
            figures.problems.append(f"PROBLEM: turn {number} is not whole: {shown}")


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Return the service's reason. Empty: the failure is of the connection."""
    with suppress(ValueError):
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it has what is read
        info = error_details_pb2.ErrorInfo()
        if status is not None and any(detail.Unpack(info) for detail in status.details):
            return str(info.reason)
    return ""


async def cuts(turns: int, *, callers: int = 20, seed: int = 0) -> Cuts:
    """Run so many turns. The figures hold what went wrong."""
    figures, chance = Cuts(), Random(seed)
    async with Simulator(settings=Settings(keep_requests=10)) as simulator:
        settings = {
            "OPENAI_API_KEY": "k",
            "TRUNKLINE_UPSTREAM_URL": simulator.url,
            "TRUNKLINE_LOG_LEVEL": "error",
            "TRUNKLINE_SESSION_TTL_S": "3",
        }
        async with serving(settings, figures.problems) as served:
            figures.census["start"] = await served.census()
            async with cutting_proxy(served.address, chance) as proxy:
                reading = Callers(figures, seed)
                numbers = iter(range(turns))

                async def caller(last: int) -> None:
                    for number in numbers:
                        await reading.turn(number, proxy, served.address)
                        if number >= last:
                            break

                for census, last in (("warm", turns // 2), ("end", turns)):
                    await asyncio.gather(*(caller(last) for _ in range(callers)))
                    figures.census[f"before {census}"] = await served.census()
                    figures.census[census] = await _settled(served)
            figures.upstream = simulator.stats.requests_total
    figures.judge()
    return figures


async def _settled(served: Served) -> dict[str, int]:
    """Wait until nothing is kept and the sessions are gone. Return what is held then."""
    held = await served.census()
    for _ in range(int(PATIENCE_S)):
        if not held["kept_turns"] and not held["sessions"] and not held["lines"]:
            break
        await asyncio.sleep(0.5)
        held = await served.census()
    return held


def main() -> int:
    parser = argparse.ArgumentParser(prog="cuts", description=__doc__)
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--callers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    sys.stderr.write(f"seed {options.seed}\n")
    figures = asyncio.run(cuts(options.turns, callers=options.callers, seed=options.seed))
    sys.stdout.write(figures.report())
    return 1 if figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())
