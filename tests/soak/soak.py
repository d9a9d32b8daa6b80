"""`make soak`: ten thousand turns with random faults and callers that cancel, against the real service.

The service is a process of its own. The simulator runs in this process, so that the time from a
caller's cancellation to the end of the upstream request can be measured. Every turn must end exactly
once; after the last one no task, socket or session may be left, and memory must not have grown since
the warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # annotated, not marked so
from grpc_status import rpc_status

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from simulator import Received, Settings, Simulator
from tests.integration.faults.endings import STATUS
from tests.soak.figures import Figures
from tests.soak.serving import PATIENCE_S, Served, serving
from tests.stack import kinds_of, request

SETTINGS = {
    "OPENAI_API_KEY": "k",
    "TRUNKLINE_FIRST_EVENT_TIMEOUT_S": "1",
    "TRUNKLINE_IDLE_TIMEOUT_S": "1",
    "TRUNKLINE_CONNECT_TIMEOUT_S": "2",
    "TRUNKLINE_COOLDOWN_S": "0.2",
    "TRUNKLINE_MAX_AGE_S": "3",
    "TRUNKLINE_SESSION_TTL_S": "3",
    "TRUNKLINE_PING_INTERVAL_S": "1",
    "TRUNKLINE_PING_TIMEOUT_S": "5",
    "TRUNKLINE_MAX_SESSIONS": "150",
    "TRUNKLINE_MAX_CONNECTIONS": "60",
    "TRUNKLINE_MAX_TURNS": "60",
    "TRUNKLINE_QUEUE_SIZE": "10",
    "TRUNKLINE_LOG_LEVEL": "error",
}
"""Every limit is low, so that each is reached."""

GOOD = ("sim:say", "sim:words(n=50)", "sim:reason", "sim:tools", "sim:unicode", "sim:incomplete", "sim:parts")
ODD = (
    "sim:foreign",
    "sim:unknown_events",
    "sim:no_sequence",
    "sim:empty_output",
    "sim:late_text",
    "sim:refuse",
)
MOMENTS = ("start", "created", "content")
FAILURES = ("server_error", "rate_limit_exceeded", "context_length_exceeded", "insufficient_quota")
TROUBLE = (
    *(f"sim:fail(code={code}, at={at})" for code in FAILURES for at in MOMENTS),
    *(f"sim:{fault}(at={at})" for fault in ("drop", "close", "eof", "garbage") for at in MOMENTS),
    *(f"sim:close(code={code}, at=start)" for code in (1000, 1001, 1008, 1009, 1012)),
    *(f"sim:garbage(kind={kind})" for kind in ("binary", "bad_utf8", "bad_frame")),
    "sim:expired",
    "sim:page",
)
SLOW = "sim:slow(n=500, delay_ms=20)"
READS = {"at once": 0, "at start": 1, "at content": 2}
"""How many events of a slow answer a caller reads before it cancels."""

SILENT = ("sim:hang(at=start)", "sim:hang(at=created)", "sim:hang(at=content)")
WARM_SHARE = 0.2
PERIOD = 200
"""In so many turns each kind of outage comes once."""

EXPECTED = frozenset(STATUS) - {"SHUTTING_DOWN", "INTERRUPTED"} | {"done", "left"}


@dataclass
class Ending:
    """The events of a turn, and its failure if it failed."""

    events: list[pb.StreamCompletionResponse] = field(default_factory=list)
    failure: grpc.aio.AioRpcError | None = None


class Soak:
    def __init__(self, turns: int, callers: int, seed: int) -> None:
        self.figures = Figures()
        self._wanted = turns
        self._callers = callers
        self._random = Random(seed)
        self._simulator = Simulator(settings=Settings(keep_requests=100))
        self._aborted: dict[str, asyncio.Future[float]] = {}
        self._seen: set[str] = set()
        self._service: Served | None = None
        self._begun = 0

    async def run(self) -> Figures:
        async with self._simulator:
            await self._run(SETTINGS | {"TRUNKLINE_UPSTREAM_URL": self._simulator.url})
        self.figures.judge()
        return self.figures

    async def _run(self, settings: dict[str, str]) -> None:
        async with serving(settings, self.figures.problems) as self._service:
            self._watch()
            async with grpc.aio.insecure_channel(self._service.address) as channel:
                stub = completion_pb2_grpc.CompletionServiceStub(channel)
                await self._turn(stub, "first", "sim:say", "stay", {})
                self.figures.census["start"] = await self._census()
                progress = asyncio.create_task(self._progress())
                await asyncio.gather(*(self._caller(stub) for _ in range(self._callers)))
                progress.cancel()
            await self._settled()

    async def _census(self) -> dict[str, int]:
        assert self._service is not None
        return await self._service.census()

    def _watch(self) -> None:
        """Record which turns the upstream received, and when it noticed the cancellation of one."""
        journal = self._simulator._journal
        arrived, ended = journal.arrived, journal.ended

        def name(received: Received) -> str:
            found = re.findall(r"turn-\d+", str(received.body.get("input")))
            return str(found[-1]) if found else ""

        def watched_arrival(received: Received) -> None:
            self._seen.add(name(received))
            arrived(received)

        def watched_end(received: Received, otherwise: str) -> None:
            ended(received, otherwise)
            waiting = self._aborted.get(name(received))
            if waiting is not None and not waiting.done():
                waiting.set_result(time.perf_counter())

        journal.arrived, journal.ended = watched_arrival, watched_end  # type: ignore[method-assign]

    async def _caller(self, stub: Any) -> None:
        """Run turns of random sessions, one after another, until all have begun."""
        chance = self._random
        while self._begun < self._wanted:
            self._begun += 1
            if self._begun == int(self._wanted * WARM_SHARE):
                self.figures.census["warm"] = await self._census()
            self._change_upstream()
            text, leaves = self._choice()
            transport = chance.choices([0, pb.TRANSPORT_WEBSOCKET, pb.TRANSPORT_SSE], [8, 1, 1])[0]
            options = {"transport": transport} if transport else {}
            await self._turn(stub, f"s{chance.randrange(200)}", text, leaves, options)

    def _choice(self) -> tuple[str, str]:
        """Choose what a turn asks for, and when its caller cancels."""
        chance = self._random
        match chance.choices(["good", "odd", "trouble", "slow", "silent"], [55, 8, 22, 12, 3])[0]:
            case "good":
                return chance.choice(GOOD), "stay"
            case "odd":
                return chance.choice(ODD), "stay"
            case "trouble":
                return chance.choice(TROUBLE), "stay"
            case "slow":
                return SLOW, chance.choice([*READS, "deadline"])
            case _:
                return chance.choice(SILENT), chance.choice(["stay", "deadline"])

    def _change_upstream(self) -> None:
        """From time to time, refuse WebSockets for a while, or break all connections."""
        settings = self._simulator.settings
        match self._begun % PERIOD * 20 // PERIOD, self._begun % (PERIOD // 20):
            case 4, 0:
                self._simulator.drop_all()
            case 8, 0:
                settings.refuse_websocket = 503
            case 12, 0:
                self._simulator.drop_all(1001)
            case 14, 0:
                settings.refuse_websocket = 426
            case 18, 0:
                settings.hang_handshake = True
            case ((9 | 15 | 19), 0):
                settings.refuse_websocket, settings.hang_handshake = None, False

    async def _turn(self, stub: Any, session: str, text: str, leaves: str, options: dict[str, Any]) -> None:
        self.figures.turns += 1
        name = f"turn-{self.figures.turns}"
        asked = request(f"{text} {name}", session=session, options=options)
        call = stub.StreamCompletion(asked, timeout=0.3 if leaves == "deadline" else PATIENCE_S)
        if leaves in READS:
            await self._leave(call, name, READS[leaves])
            self.figures.endings["left"] += 1
            return
        turn = Ending()
        try:
            async for event in call:
                turn.events.append(event)
        except grpc.aio.AioRpcError as error:
            turn.failure = error
        self._ended(f"{name}, {text}", turn, leaves)

    async def _leave(self, call: Any, name: str, reads: int) -> None:
        """Read so many events, cancel, and measure the time until the upstream notices."""
        aborted = self._aborted[name] = asyncio.get_running_loop().create_future()
        try:
            for _ in range(reads):
                if not isinstance(await call.read(), pb.StreamCompletionResponse):
                    return
            cancelled = time.perf_counter()
            call.cancel()
            if reads:  # otherwise the upstream may not have received the turn
                self.figures.cancel_s.append(await asyncio.wait_for(aborted, PATIENCE_S) - cancelled)
        except grpc.aio.AioRpcError:
            return
        except TimeoutError:
            self.figures.problems.append(f"{name} was cancelled, and still runs upstream")
        finally:
            del self._aborted[name]

    def _ended(self, name: str, turn: Ending, leaves: str) -> None:
        """Check the events against the grammar of a stream, and the error against what arrived upstream."""
        figures, kinds, failure = self.figures, kinds_of(turn.events), turn.failure
        ends = [kind for kind in kinds if kind in ("done", "error")]
        sound = [event.sequence for event in turn.events] == list(range(1, len(kinds) + 1))
        sound &= kinds.count("start") <= 1 and ends == kinds[len(kinds) - len(ends) :]
        if failure is None:
            sound &= ends == ["done"]
            ending = "done"
        elif leaves == "deadline" and failure.code() == grpc.StatusCode.DEADLINE_EXCEEDED and not ends:
            ending = "left"
        elif ends:
            ending = turn.events[-1].error.reason
        else:  # a status alone: nothing may have been sent
            ending = _reason(failure)
            sound &= kinds == [] and name.partition(",")[0] not in self._seen
        if ends:
            last = turn.events[-1]
            figures.attempts[(last.done if failure is None else last.error).report.attempts] += 1
        figures.endings[ending] += 1
        if not sound or ending not in EXPECTED:
            figures.problems.append(f"{name}: {kinds} {ending} {failure and failure.details()}")

    async def _progress(self) -> None:
        begun = time.monotonic()
        while True:
            await asyncio.sleep(1)
            done, seconds = self.figures.turns, time.monotonic() - begun
            problems = len(self.figures.problems)
            sys.stderr.write(f"\r{done}/{self._wanted} turns, {done / seconds:.0f}/s, {problems} problems ")
            sys.stderr.flush()

    async def _settled(self) -> None:
        """Wait until all connections and sessions are gone: no caller is left."""
        self._simulator.settings.merge({"refuse_websocket": None, "hang_handshake": False})
        files = self.figures.census["start"]["files"]
        last: dict[str, int] = {}
        for _ in range(int(PATIENCE_S)):
            last = await self._census()
            if not last["sessions"] and not last["lines"] and last["files"] <= files:
                break
            await asyncio.sleep(1)
        self.figures.census["end"] = last


def _reason(failure: grpc.aio.AioRpcError) -> str:
    """Return the reason of a status without an error event."""
    status = rpc_status.from_call(cast(Any, failure))
    info = error_details_pb2.ErrorInfo()
    has_info = status is not None and any(detail.Unpack(info) for detail in status.details)
    return str(info.reason) if has_info else str(failure.code())


async def soak(turns: int, *, callers: int = 40, seed: int = 0) -> Figures:
    return await Soak(turns, callers, seed).run()


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--turns", type=int, default=10_000)
    parser.add_argument("--callers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    sys.stderr.write(f"seed {options.seed}\n")
    figures = asyncio.run(soak(options.turns, callers=options.callers, seed=options.seed))
    sys.stderr.write("\n")
    sys.stdout.write(figures.report())
    return 1 if figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())
