"""The caller leaves, in each way and at each point where a turn may stand: nothing remains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2_grpc
from service.gen.trunkline.v1 import session_pb2 as spb
from simulator import Settings
from simulator.scripts import Drop, Gate, Hang, Say, Script, Start
from tests.integration.faults.endings import ended
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, until
from tests.stack import Stack, request
from tests.tcp import tcp_server

DEADLINES_S = (0.5, 4.0, 30.0)
"""The first is late enough for the turn to come to its point, unless the machine is busy."""

BIG = "x" * 8_000_000
LONG = "sim:long(bytes=3000000)"
HALF = Script(Say("Half of the old answer", closed=False), Hang())


@dataclass(frozen=True)
class Point:
    """Where a turn stands when its caller leaves. `beside` starts what it waits for."""

    reached: Callable[[Stack], object]
    scripts: tuple[Script, ...] = ()
    said: str = "Hello."
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    upstream: Mapping[str, Any] = field(default_factory=dict)
    warm_ups: tuple[Script, ...] = ()
    beside: Callable[[Stack], Any] | None = None
    reads: int = 0


async def busy(replica: Stack) -> asyncio.Task[Any]:
    """A turn of another session that runs until the gate opens."""
    replica.simulator.enqueue(Script(Gate("go")))
    turn = asyncio.ensure_future(replica.done(request("Wait.", session="busy")))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    return turn


async def dialling(replica: Stack) -> asyncio.Task[Any]:
    """A turn of another session whose handshake hangs."""
    turn = asyncio.ensure_future(ended(replica, session="busy"))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.handshakes == 1, PATIENCE_S)
    return turn


async def warming(replica: Stack) -> asyncio.Task[Any]:
    """A warm-up of the same session."""
    replica.simulator.enqueue(Script(Gate("go")), warm_up=True)
    wanted = spb.WarmSessionRequest(session_id="s1", model="simulated-1", prime=True)
    warm_up = asyncio.ensure_future(_answer(replica.sessions.WarmSession(wanted)))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    return warm_up


async def _answer(call: Any) -> Any:
    return await call


def asked(replica: Stack) -> bool:
    return replica.simulator.stats.in_flight == 1


def pending(replica: Stack) -> bool:
    """What the service wrote stands before a peer that does not read."""
    return any(line._connection.transport.get_write_buffer_size() for line in replica.pool._state.lines())


def piled_up(replica: Stack) -> bool:
    """What the upstream wrote stands before a service that does not read."""
    runner: Any = replica.simulator._runner
    connections = runner.server.connections
    return any(one.transport and one.transport.get_write_buffer_size() for one in connections)


POINTS = {
    "in the queue": Point(
        lambda replica: len(replica.manager._admission._queue),
        settings={"MAX_TURNS": "1", "QUEUE_SIZE": "1"},
        beside=busy,
    ),
    "after a warm-up": Point(lambda replica: replica.manager._admission.running == 2, beside=warming),
    "waiting for a line": Point(
        lambda replica: len(replica.pool._waiters),
        options=WEBSOCKET,
        settings={"MAX_CONNECTIONS": "1"},
        beside=busy,
    ),
    "waiting to dial": Point(
        lambda replica: replica.pool._state.dialing == 2,
        settings={"MAX_DIALS": "1"},
        upstream={"hang_handshake": True},
        beside=dialling,
    ),
    "dialling": Point(
        lambda replica: replica.simulator.stats.handshakes == 1, upstream={"hang_handshake": True}
    ),
    "warming up": Point(asked, warm_ups=(Script(Hang()),), options={"warm_up": True}),
    "writing": Point(pending, said=BIG, upstream={"deaf": True}),
    "before created": Point(asked, (Script(Hang()),)),
    "before created, by SSE": Point(asked, (Script(Hang()),), options=SSE),
    "after created": Point(asked, (Script(Start(), Hang()),), reads=1),
    "after created, by SSE": Point(asked, (Script(Start(), Hang()),), options=SSE, reads=1),
    "in the answer": Point(asked, (HALF,), reads=2),
    "in the answer, by SSE": Point(asked, (HALF,), options=SSE, reads=2),
    "blocked by its caller": Point(piled_up, said=LONG, reads=1),
    "blocked by its caller, by SSE": Point(piled_up, said=LONG, options=SSE, reads=1),
    "in a replay": Point(
        lambda replica: replica.simulator.stats.requests_total == 2, (Script(Drop()), Script(Hang()))
    ),
    "in a replay, by SSE": Point(
        lambda replica: replica.simulator.stats.requests_total == 2,
        (Script(Drop()), Script(Hang())),
        options=SSE,
    ),
}


class Wire:
    """A TCP proxy between caller and service: what a caller's death looks like from here."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def to(self, address: str) -> AsyncIterator[str]:
        host, _, port = address.rpartition(":")

        async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner, outer = await asyncio.open_connection(host, int(port))
            self.writers += [writer, outer]
            try:
                await asyncio.gather(pump(inner, writer), pump(reader, outer))
            finally:
                outer.transport.abort()

        async with tcp_server(connect) as port_here:
            yield f"127.0.0.1:{port_here}"

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


def belongings(replica: Stack) -> dict[str, object]:
    """All that a turn may hold."""
    manager, pool = replica.manager, replica.pool
    return {
        "places": manager._admission.running,
        "queued": len(manager._admission._queue),
        "turns": len(manager._running),
        "holders": sum(session.busy for session in manager._registry),
        "waiters": len(pool._waiters),
        "dialling": pool._state.dialing,
        "leased": pool._state.leased,
        "sockets": sockets(replica),
    }


def sockets(replica: Stack) -> int:
    """Those in use by a turn: lines that are not idle, and HTTP connections with an answer on them."""
    state = replica.pool._state
    lines = [line for line in state.lines() if line not in state._idle]
    posts = cast(Any, replica.upstream._http._transport)._pool.connections
    return sum(line.open for line in lines) + sum(not (post.is_idle() or post.is_closed()) for post in posts)


def watch(replica: Stack) -> list[int]:
    """How many sockets were in use each time a turn was about to return to its handler."""
    seen: list[int] = []
    turn = replica.manager.turn

    @asynccontextmanager
    async def watched(*args: Any) -> AsyncIterator[Any]:
        try:
            async with turn(*args) as running:
                yield running
        finally:
            seen.append(sockets(replica))

    replica.manager.turn = watched  # type: ignore[method-assign, assignment]
    return seen


async def leave(replica: Stack, point: Point, way: str, deadline_s: float, left: list[int]) -> bool:
    """Comes to the point, leaves, and stays until the turn has ended. False: the deadline came first."""
    wanted = request(point.said, options=point.options)
    wire = Wire()
    async with wire.to(replica.address) as address:
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            call = completion_pb2_grpc.CompletionServiceStub(channel).StreamCompletion(
                wanted, timeout=deadline_s if way == "deadline" else PATIENCE_S
            )
            try:
                for _ in range(point.reads):
                    await call.read()
            except grpc.aio.AioRpcError as error:
                if way == "deadline" and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                    return False
                raise
            await until(lambda: point.reached(replica) or left or call.done())
            if (left or call.done()) and way == "deadline":
                return False
            if way == "cancel":
                call.cancel()
            elif way == "disconnect":
                wire.cut()
            await until(lambda: left)
            call.cancel()
            return True


@pytest.mark.parametrize("way", ["cancel", "disconnect", "deadline"])
@pytest.mark.parametrize("point", POINTS)
async def test_leaving(start, point, way):
    for deadline_s in DEADLINES_S:
        if await left(start, POINTS[point], way, deadline_s):
            return
    pytest.fail("no deadline was late enough for the turn to come to its point")


async def left(start: Any, where: Point, way: str, deadline_s: float) -> bool:
    """Leaves a turn at this point, and checks what remains. False: its deadline came before the point."""
    replica = await start({"COOLDOWN_S": "0", **where.settings}, upstream=Settings(**where.upstream))
    beside = await where.beside(replica) if where.beside else None
    before = belongings(replica)
    replica.simulator.enqueue(*where.scripts)
    replica.simulator.enqueue(*where.warm_ups, warm_up=True)
    seen = watch(replica)

    arrived = await leave(replica, where, way, deadline_s, seen)
    await until(lambda: belongings(replica) == before)
    assert not arrived or seen == [before["sockets"]], "a socket outlived its turn"

    replica.simulator.settings.merge({"hang_handshake": False, "deaf": False})
    replica.simulator.open_gate("go")
    if where.upstream:
        replica.simulator.drop_all()
    if beside is not None:
        beside.cancel() if where.upstream else await beside
    if not arrived:
        return False
    cut = {one.connection_id for one in replica.simulator.requests if one.finished != "completed"}
    found = await ended(replica, "And now?")
    assert found.done.message.parts[0].text.text.endswith('You said: "And now?".')
    assert found.requests[-1].connection_id not in cut, "a line in the middle of an answer was used again"
    return True
