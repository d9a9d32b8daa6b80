"""A turn that outlives its call is published once, with its own ending; calls that attach publish none."""

import asyncio

import pytest

from service.telemetry import names
from simulator.scripts import Gate, Say, Script, Start
from tests.stack import request
from tests.watching import PATIENCE_S

METHOD = "trunkline.v1.CompletionService/StreamCompletion"
OPENED = Script(Start(), Say("One", closed=False), Gate("go"), Say(" two."))


def keyed(linger_s=60, **fields):
    linger = {"seconds": int(linger_s), "nanos": round(linger_s % 1 * 1e9)}
    return request("Tell me.", turn_key="k", options={"linger": linger}, **fields)


async def leave(service, wanted):
    """Leave after the first delta. Returns the id of the turn."""
    reading = service.completions.StreamCompletion(wanted)
    turn_id = ""
    async for event in reading:
        turn_id = turn_id or event.start.turn_id
        if event.HasField("text_delta"):
            break
    reading.cancel()
    return turn_id


async def test_a_turn_that_ends_after_its_call(service, seen):
    service.simulator.enqueue(OPENED)
    turn_id = await leave(service, keyed())
    await seen.until(lambda: seen.named(METHOD))
    assert seen.count(names.TURNS) == 0
    service.simulator.open_gate("go")
    await seen.until(lambda: seen.count(names.TURNS))
    assert seen.points(names.TURNS) == {((names.LABEL_ENDING, "OK"), (names.LABEL_TRANSPORT, "websocket")): 1}
    assert seen.points(names.CANCELLED) == {}
    (server,) = seen.named(METHOD)
    (chat,) = [span for span in seen.spans if span.name.startswith("chat")]
    assert chat.parent.span_id == server.context.span_id
    assert chat.end_time > server.end_time
    assert server.attributes[names.RPC_STATUS] == "CANCELLED"
    assert server.attributes[names.TURN_ID] == turn_id
    assert server.attributes[names.ATTACHED] is False
    assert names.ENDING not in server.attributes


async def test_a_call_that_attaches(service, seen):
    service.simulator.enqueue(OPENED)
    turn_id = await leave(service, keyed())
    await seen.until(lambda: [kept.reader for _, kept in service.manager.kept.of("")] == [None])
    service.simulator.open_gate("go")
    done = await service.done(keyed(request_id="again"))
    assert done.report.attached
    await service.done(keyed())
    await seen.until(lambda: len(seen.named(METHOD)) == 3)
    assert seen.count(names.TURNS) == seen.count(names.TOKENS, type="input") // done.usage.input_tokens == 1
    assert len([span for span in seen.spans if span.name.startswith("chat")]) == 1
    _, second, third = seen.named(METHOD)
    for server in (second, third):
        assert server.attributes[names.RPC_STATUS] == "OK"
        assert (server.attributes[names.TURN_ID], server.attributes[names.ATTACHED]) == (turn_id, True)
        assert server.attributes[names.CONVERSATION] == "s1"
    assert sum(seen.points(names.TURNS_ATTACHED).values()) == 2
    assert seen.count(names.TURNS_ATTACHED, state="kept") >= 1  # the first may have found it lingering


async def test_one_that_is_read_to_its_end_is_published_as_any_other(service, seen):
    done = await service.done(keyed())
    await seen.until(lambda: seen.named(METHOD))
    server = seen.one(METHOD)
    assert server.attributes[names.ENDING] == "OK"
    assert server.attributes[names.ATTEMPTS] == done.report.attempts == 1
    assert server.attributes[names.ATTACHED] is False


@pytest.mark.parametrize("linger_s", [0, 0.05])
async def test_one_that_is_stopped_is_cancelled_by_its_caller(service, seen, linger_s):
    service.simulator.enqueue(OPENED)
    await leave(service, keyed(linger_s))
    await seen.until(lambda: seen.count(names.TURNS))
    assert seen.count(names.TURNS, ending="CANCELLED") == 1
    assert seen.points(names.CANCELLED) == {((names.LABEL_WHO, "caller"),): 1}
    async with asyncio.timeout(PATIENCE_S):
        await service.simulator.wait_for(lambda: service.simulator.stats.aborted == 1, PATIENCE_S)
