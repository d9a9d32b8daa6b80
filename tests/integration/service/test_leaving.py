"""Cancel means stop: the upstream turn ends, the line is not used again, and the session goes on."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from simulator import Settings
from simulator.scripts import Gate, Hang, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, Talk, context, failed
from tests.stack import Stack, request, text_of

MOMENTS = {
    "before the start": Script(Hang()),
    "after the start": Script(Start(), Hang()),
    "in the answer": Script(Say("This is the old answer, and", closed=False), Hang()),
}


async def _leave(replica: Stack, wanted: pb.StreamCompletionRequest, reported: str) -> None:
    """Cancels the call once the upstream has the request and the caller has read so much."""
    stats = replica.simulator.stats
    requests, aborted = stats.requests_total, stats.aborted
    call = replica.completions.StreamCompletion(wanted, timeout=PATIENCE_S)
    events = aiter(call)
    await replica.simulator.wait_for(lambda: stats.requests_total == requests + 1, PATIENCE_S)
    read = ""
    while read != reported:
        read += (await anext(events)).text_delta.delta
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await anext(events)
    await replica.simulator.wait_for(lambda: stats.aborted == aborted + 1, PATIENCE_S)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("options", [WEBSOCKET, SSE], ids=["websocket", "sse"])
async def test_original_fault_abort_next_turn_reads_the_old_answer(replica, moment, options):
    talk = Talk(replica, options=options)
    await talk.say("Hello.")
    replica.simulator.enqueue(MOMENTS[moment])
    reported = "This is the old answer, and" if moment == "in the answer" else ""
    await _leave(replica, request(*talk.messages, "Tell me.", **talk.fields), reported)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)

    replica.simulator.enqueue(Script(Say("This is the new answer.")))
    done = await talk.say("Something else.")
    assert talk.text == "This is the new answer."
    assert context(done)[0] is False
    if options is WEBSOCKET:
        assert context(await talk.say("And?")) == (True, "continued")


async def test_leaving_one_turn_disturbs_no_other(replica):
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("Still here.")), MOMENTS["after the start"])
    stays = asyncio.create_task(replica.turn(request("Stay.", session="stays")))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    await _leave(replica, request("Leave.", session="leaves"), "")
    replica.simulator.open_gate("go")
    assert text_of(await stays) == "Still here."


async def test_a_deadline_reaches_the_upstream(replica):
    replica.simulator.enqueue(MOMENTS["in the answer"])
    failure = await failed(replica.turn(request("Tell me."), timeout=3))
    assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    assert 'You said: "Again."' in text_of(await replica.turn(request("Again.")))


async def test_leaving_while_the_line_is_dialled_leaves_nothing(start):
    replica = await start(upstream=Settings(hang_handshake=True))
    call = replica.completions.StreamCompletion(request("Hello."))
    reading = asyncio.create_task(call.read())
    await replica.simulator.wait_for(lambda: replica.simulator.stats.handshakes == 1, PATIENCE_S)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    replica.simulator.settings.hang_handshake = False
    assert await replica.done(request("Hello."))


async def test_leaving_on_the_last_event_is_no_abort(replica):
    """The answer is whole: the line is kept, and the next turn builds on it."""
    talk = Talk(replica)
    call = replica.completions.StreamCompletion(request("Hello."), timeout=PATIENCE_S)
    async for event in call:
        if event.HasField("done"):
            talk.messages += [*request("Hello.").messages, event.done.message]
            call.cancel()
            break
    assert context(await talk.say("And again.")) == (True, "continued")
    assert replica.simulator.stats.aborted == 0


async def test_complete_can_be_left_too(replica):
    replica.simulator.enqueue(MOMENTS["in the answer"])
    call = replica.completions.Complete(
        pb.CompleteRequest.FromString(request("Tell me.").SerializeToString()), timeout=PATIENCE_S
    )
    waiting = asyncio.ensure_future(call)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)


@pytest.fixture
async def roomy(replica: Stack) -> AsyncIterator[completion_pb2_grpc.CompletionServiceStub]:
    """A caller who takes messages of any size: `done` holds the whole answer."""
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(replica.address, options=options) as channel:
        yield completion_pb2_grpc.CompletionServiceStub(channel)


async def test_a_slow_caller_stops_nobody_else_and_loses_nothing(replica, roomy):
    """It reads one event and pauses. An answer of 8 MB piles up with the upstream, not with us."""
    slow = aiter(roomy.StreamCompletion(request("sim:long(bytes=8000000)", session="slow")))
    assert (await anext(slow)).HasField("start")
    line = replica.manager._registry.find("", "slow").line
    for _ in range(1000):
        assert await replica.done(request("Hello.", session="quick"))
        if not line._connection.reading:
            break
    assert replica.simulator.stats.in_flight == 1, "nothing held the upstream back"
    assert sum(map(len, line._connection.messages)) < 1_000_000
    rest = [event async for event in slow]
    reported = sum(len(event.text_delta.delta) for event in rest)
    assert reported == len(rest[-1].done.message.parts[0].text.text) == 8_000_000
    assert (await replica.done(request("Hello.", session="slow"))).report.connection_reused


async def test_a_slow_caller_who_leaves_ends_the_turn(replica, roomy):
    """Blocked in the middle of a write, not waiting for the upstream."""
    slow = roomy.StreamCompletion(request("sim:long(bytes=8000000)", session="slow"))
    assert (await slow.read()).HasField("start")
    await replica.done(request("Hello.", session="quick"))
    slow.cancel()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)
    assert 'You said: "Hello."' in text_of(await replica.turn(request("Hello.", session="slow")))
