"""Heartbeats while the model is silent, where a caller asks for them."""

from __future__ import annotations

import asyncio

import pytest

from simulator.scripts import Gate, Hang, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, failed_stream
from tests.integration.service.test_linger import LONG, Reading
from tests.stack import kinds_of, request, text_of

SECOND = {"seconds": 1}


@pytest.fixture(params=[WEBSOCKET, SSE], ids=["websocket", "sse"])
def options(request):
    return {**request.param, "heartbeat": SECOND}


@pytest.mark.parametrize("key", ["", "k1"], ids=["without a key", "with a key"])
async def test_a_silent_model(replica, options, key):
    steps = (Gate("start"), Start(), Say("One", closed=False), Gate("go"), Say(" two."))
    replica.simulator.enqueue(Script(*steps))
    more = {"linger": LONG} if key else {}
    call = Reading(replica, request("Tell me.", turn_key=key, options=options | more))
    await call.read(1)
    replica.simulator.open_gate("start")
    while kinds_of(call.events).count("heartbeat") < 2 or not call.events[-1].HasField("heartbeat"):
        await call.read(1)
    replica.simulator.open_gate("go")
    await call.rest()
    kinds = kinds_of(call.events)
    assert kinds[0] == "heartbeat", "the request was sent, and the model had not begun"
    events = [event for event in call.events if not event.HasField("heartbeat")]
    assert (kinds_of(events)[0], kinds_of(events)[-1], text_of(events)) == ("start", "done", "One two.")
    last = 0
    for event in call.events:
        last += not event.HasField("heartbeat")
        assert event.sequence == last
    assert replica.manager.kept.kept_bytes == 0 or key


async def test_without_the_option_a_turn_runs_in_its_call_s_task(replica):
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    call = Reading(replica, request("Tell me."))
    await call.read(1)
    assert [task.get_name() for task in asyncio.all_tasks()].count("turn") == 0
    replica.simulator.open_gate("go")
    await call.rest()


async def test_a_caller_who_leaves_stops_the_turn(replica, options):
    replica.simulator.enqueue(Script(Start(), Hang()))
    call = Reading(replica, request("Tell me.", options=options))
    await call.read(1)
    await call.leave()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)


async def test_nothing_is_written_of_a_turn_that_was_not_sent(start, options):
    replica = await start({"MAX_TURNS": "1"})
    replica.simulator.enqueue(Script(Start(), Gate("go")))
    busy = Reading(replica, request("Hello.", session="busy"))
    await busy.read(1)
    events, failure = await failed_stream(replica, request("Tell me.", options=options))
    assert (events, failure.reason, failure.sent) == ([], "OVERLOADED", "false")
    await busy.leave()
