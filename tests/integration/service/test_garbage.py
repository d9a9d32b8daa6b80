"""A turn that ended well is gone: nothing of it waits for the collector, which stops all the others."""

import asyncio
import contextlib
import gc
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import session_pb2
from service.rpc.server import STREAMS_BESIDES
from simulator.scripts import Call, Close, Drop, Fail, Reason, Refuse, Say, Script
from tests.integration.faults import raw
from tests.stack import request, stack
from tests.watching import watching


@contextmanager
def garbage():
    """What only the collector would have freed of what the block made: the types that are ours."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += [kind for kind in (str(type(thing)) for thing in gc.garbage) if "'service." in kind]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    "script",
    [
        Script(Say("Hello.")),
        Script(Reason(("Hm.",)), Say("Hello."), Call("f", "{}")),
        Script(Refuse("No.")),
    ],
    ids=["text", "call", "refusal"],
)
async def test_a_turn_that_ends_well_leaves_nothing_for_the_collector(script):
    with watching() as seen:
        async with stack(telemetry=seen.telemetry) as replica:
            await reported(replica, seen, script, 1)  # finds what is made once
            with garbage() as found:
                await reported(replica, seen, script, 2)
    assert found == []


async def test_so_does_one_that_nobody_traces():
    async with stack() as replica:
        await replica.done(request("Hello."))
        with garbage() as found:
            await replica.done(request("Hello."))  # over the line of the first
    assert found == []


AGAIN = {
    "the line is lost": Script(Drop()),
    "the line has expired": Script(Fail("Limit reached.", "websocket_connection_limit_reached", 400)),
    "the frame is too big": Script(Close(1009)),
}


@pytest.mark.parametrize("case", AGAIN)
async def test_so_does_one_that_ended_well_at_its_second_attempt_and_the_line_of_its_first(case):
    with watching() as seen:
        async with stack(telemetry=seen.telemetry) as replica:
            await reported(replica, seen, Script(Say("Hello.")), 1)
            with garbage() as found:
                replica.simulator.enqueue(AGAIN[case])
                done = await reported(replica, seen, Script(Say("Hello.")), 2)
                await seen.until(lambda: seen.count("trunkline.line.closes") == 1)
    assert done.report.attempts == 2
    assert found == []


async def reported(replica, seen, script, number):
    """A turn in a session of its own, and all that is reported after it."""
    replica.simulator.enqueue(script)
    done = await replica.done(request("Hello.", session=f"s{number}"))
    await seen.until(lambda: seen.count("rpc.server.call.duration") == number)
    return done


GET = session_pb2.GetSessionRequest(session_id="unknown")
FAILING: dict[str, tuple[dict[str, str], Any, str]] = {
    "a turn": ({}, lambda replica: replica.turn(request("Hello.", session="a b")), "INVALID_ARGUMENT"),
    "unary": ({}, lambda replica: replica.completions.Complete(pb.CompleteRequest()), "INVALID_ARGUMENT"),
    "a session": ({}, lambda replica: replica.sessions.GetSession(GET), "NOT_FOUND"),
    "nobody": ({"AUTH_TOKENS": "t=a"}, lambda replica: replica.sessions.GetSession(GET), "UNAUTHENTICATED"),
}


@pytest.mark.parametrize("case", FAILING)
async def test_a_call_that_fails_gives_its_stream_back_without_the_collector(case):
    settings, call, status = FAILING[case]
    async with stack({"MAX_TURNS": "1"} | settings) as replica:
        gc.disable()
        try:
            for _ in range(2 * (1 + STREAMS_BESIDES)):
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await call(replica)
                assert failed.value.code().name == status
        finally:
            gc.enable()


DELTA = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": "x" * 400}
CUT_OFF = {"cancel": {}, "deadline": {"timeout": 1.0}, "the bound": {}}


@pytest.mark.parametrize("transport", [pb.TRANSPORT_WEBSOCKET, pb.TRANSPORT_SSE], ids=["ws", "sse"])
@pytest.mark.parametrize("case", CUT_OFF)
async def test_an_answer_that_is_cut_off_leaves_nothing_for_the_collector(case, transport):
    async def handle(reader, writer, head):
        written = raw.as_frames if raw.is_upgrade(head) else raw.as_stream
        writer.write(raw.accepted(head) if raw.is_upgrade(head) else raw.STREAM)
        await reader.read(2**16)
        writer.write(written(raw.ANSWER[:2]))
        for _ in range(1000 if case == "the bound" else 10):
            writer.write(written([DELTA] * 100))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async def cut_off(replica, session):
        options = pb.CompletionOptions(transport=transport)
        call = replica.completions.StreamCompletion(
            request("Hi.", session=session, options=options), **CUT_OFF[case]
        )
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for event in call:
                if case == "cancel" and event.HasField("text_delta"):
                    break
        call.cancel()
        async with asyncio.timeout(30):
            while replica.manager.counts().turns:  # noqa: ASYNC110  nothing announces it
                await asyncio.sleep(0.01)

    async with raw.upstream(handle) as url, stack({"UPSTREAM_URL": url}) as replica:
        await cut_off(replica, "s1")
        with garbage() as found:
            await cut_off(replica, "s2")
            await asyncio.sleep(0)
    assert found == []
