"""SIGTERM: health first, then refusals by name; what runs may finish, and what does not is reported so."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc, session_pb2_grpc
from service.gen.trunkline.v1 import session_pb2 as spb
from simulator import Settings, Simulator
from simulator.scripts import Gate, Hang, Pace, Say, Script
from tests.e2e.conftest import PATIENCE_S, Program, running
from tests.e2e.fleet import until
from tests.integration.faults.endings import Ended
from tests.stack import request

HALF = Script(Say("Half of it", closed=False), Hang())
SSE = {"transport": pb.TRANSPORT_SSE}


@dataclass
class House:
    """A service that is a process, and its simulator, which is not, so that it can be reported what to do."""

    service: Program
    simulator: Simulator
    channel: grpc.aio.Channel
    received: str = ""

    def turn(self, *said: str, **fields: Any) -> "asyncio.Task[Ended]":
        return asyncio.ensure_future(self._turn(request(*said, **fields)))

    async def _turn(self, asked: pb.StreamCompletionRequest) -> Ended:
        events, failure = [], None
        try:
            async for event in completion_pb2_grpc.CompletionServiceStub(self.channel).StreamCompletion(
                asked, timeout=PATIENCE_S
            ):
                events.append(event)
                self.received += event.text_delta.delta
        except grpc.aio.AioRpcError as error:
            failure = error
        return Ended(events, failure, [])

    async def wait_for(self, predicate: Callable[[], object]) -> None:
        await self.simulator.wait_for(predicate, PATIENCE_S)

    async def asked(self, number: int) -> None:
        await self.wait_for(lambda: self.simulator.stats.in_flight == number)

    def terminate(self) -> None:
        self.service.process.send_signal(signal.SIGTERM)

    async def not_serving(self) -> None:
        async for answer in HealthStub(self.channel).Watch(health_pb2.HealthCheckRequest()):
            if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
                return


@asynccontextmanager
async def serving(settings: Settings | None = None, **environment: str) -> AsyncIterator[House]:
    async with Simulator(settings=settings) as simulator:
        named = {f"TRUNKLINE_{name}": value for name, value in environment.items()} | {
            "TRUNKLINE_LISTEN": "127.0.0.1:0",
            "TRUNKLINE_UPSTREAM_URL": simulator.url,
            "OPENAI_API_KEY": "k",
        }
        async with running(["-m", "service"], **named) as service:
            address = await service.says(r"listening on ([\d.:]+)")
            async with grpc.aio.insecure_channel(address) as channel:
                yield House(service, simulator, channel)


async def test_what_runs_finishes_while_what_is_new_is_refused():
    async with serving() as house:
        house.simulator.enqueue(Script(Say("Half of it. "), Gate("go"), Say("And the rest.")))
        turn = house.turn("Hello.")
        await house.asked(1)
        house.terminate()
        await house.not_serving()
        refused = await house.turn("Too late.", session="other")
        assert (refused.code, refused.info.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert (refused.events, refused.info.metadata["sent"]) == ([], "false")
        warm = session_pb2_grpc.SessionServiceStub(house.channel).WarmSession(
            spb.WarmSessionRequest(session_id="other")
        )
        with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
            await warm
        house.simulator.open_gate("go")
        assert (await turn).done.stop_reason == pb.STOP_REASON_STOP
        assert await house.service.ends() == 0
        assert house.simulator.stats.requests_total == 1


@pytest.mark.parametrize("options", [{}, SSE], ids=["websocket", "sse"])
async def test_what_does_not_finish_in_the_grace_is_reported(options):
    async with serving(DRAIN_GRACE_S="0.2") as house:
        house.simulator.enqueue(HALF)
        turn = house.turn("Hello.", options=options)
        await until(lambda: house.received == "Half of it")
        house.terminate()
        ended = await turn
        assert (ended.code, ended.info.reason) == (grpc.StatusCode.ABORTED, "INTERRUPTED")
        assert (ended.kinds[0], ended.kinds[-1]) == ("start", "error")
        assert [part.text.text for part in ended.error.partial.parts] == ["Half of it"]
        assert (ended.error.retryable, ended.info.metadata["sent"]) == (True, "true")
        assert await house.service.ends() == 0
        await house.wait_for(lambda: house.simulator.stats.aborted == 1)
        await house.wait_for(lambda: not house.simulator.stats.open_connections)


async def test_what_has_sent_nothing_by_then_may_be_sent_elsewhere():
    async with serving(Settings(hang_handshake=True), DRAIN_GRACE_S="0.2") as house:
        turn = house.turn("Hello.")
        await house.wait_for(lambda: house.simulator.stats.handshakes == 1)
        house.terminate()
        ended = await turn
        assert (ended.code, ended.info.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert (ended.events, ended.info.metadata["sent"]) == ([], "false")
        assert await house.service.ends() == 0


async def test_who_waits_in_the_queue_is_sent_elsewhere_at_once():
    """Not when the turns that run have ended: those have their grace."""
    async with serving(MAX_TURNS="1", QUEUE_SIZE="1") as house:
        house.simulator.enqueue(Script(Gate("go"), Say("At last.")))
        turn = house.turn("Hello.")
        await house.asked(1)
        queued, refused = house.turn("Hello.", session="b"), house.turn("Hello.", session="c")
        done, _ = await asyncio.wait([queued, refused], return_when=asyncio.FIRST_COMPLETED)
        assert {ended.result().info.reason for ended in done} == {"OVERLOADED"}
        house.terminate()
        ended = {(await one).info.reason for one in (queued, refused)}
        assert ended == {"OVERLOADED", "SHUTTING_DOWN"}
        assert not turn.done()
        house.simulator.open_gate("go")
        assert (await turn).kinds[-1] == "done"
        assert await house.service.ends() == 0


async def test_a_caller_who_does_not_read_holds_nothing_up():
    async with serving(DRAIN_GRACE_S="0.2") as house:
        call = completion_pb2_grpc.CompletionServiceStub(house.channel).StreamCompletion(
            request("sim:long(bytes=8000000)")
        )
        assert (await call.read()).WhichOneof("event") == "start"
        house.terminate()
        assert await house.service.ends() == 0
        call.cancel()


async def test_idle_lines_are_closed_with_a_farewell():
    async with serving() as house:
        assert (await house.turn("Hello.")).kinds[-1] == "done"
        assert house.simulator.stats.open_connections == 1
        house.terminate()
        assert await house.service.ends() == 0
        await house.wait_for(lambda: not house.simulator.stats.open_connections)


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(second):
    async with serving() as house:
        house.simulator.enqueue(Script(Pace(1, 0.05), Say("It would take its time. " * 1000)))
        turn = house.turn("Hello.")
        await house.asked(1)
        house.terminate()
        await house.not_serving()
        house.service.process.send_signal(second)
        assert await house.service.ends() == -second
        assert (await turn).failure is not None
