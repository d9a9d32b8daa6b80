"""Turns with a key in a drain: what runs is let finish, what has ended holds nothing up, all can be read."""

from __future__ import annotations

import asyncio

import pytest

from simulator.scripts import Gate, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, failed_stream
from tests.integration.service.test_linger import LONG, Reading, keyed, left_alone, resumed, whole
from tests.stack import request


@pytest.fixture(params=[WEBSOCKET, SSE], ids=["websocket", "sse"])
def options(request):
    return {**request.param, "linger": LONG}


async def lingering(replica, options):
    replica.simulator.enqueue(Script(Start(), Say("One", closed=False), Gate("go"), Say(" two.")))
    call = Reading(replica, keyed(options=options))
    await call.read(2)
    await call.leave()
    await left_alone(replica)
    return call


async def test_a_lingering_turn_finishes_in_the_grace(replica, options):
    first = await lingering(replica, options)
    draining = asyncio.create_task(replica.manager.drain(PATIENCE_S))
    await asyncio.sleep(0)
    refused = await failed_stream(replica, request("Hello.", session="other", turn_key="new"))
    assert (refused[0], refused[1].reason) == ([], "SHUTTING_DOWN")
    assert not draining.done()
    replica.simulator.open_gate("go")
    await asyncio.wait_for(draining, PATIENCE_S)
    assert whole(first.events, await resumed(replica, keyed(options=options), 2)).report.attached
    assert replica.simulator.stats.requests_total == 1


async def test_after_the_grace_it_is_interrupted(replica, options):
    await lingering(replica, options)
    await asyncio.wait_for(replica.manager.drain(0), PATIENCE_S)
    events, failure = await failed_stream(replica, keyed(options=options))
    assert (events[-1].error.reason, failure.reason) == ("INTERRUPTED", "INTERRUPTED")
    assert [event.sequence for event in events] == [1, 2, 3]


async def test_a_turn_that_has_ended_holds_nothing_up(replica, options):
    await replica.turn(keyed(options=options))
    async with asyncio.timeout(PATIENCE_S):
        await replica.manager.drain(10 * PATIENCE_S)
    assert (await replica.done(keyed(options=options))).report.attached


async def test_a_caller_can_attach_while_the_service_drains(replica, options):
    first = await lingering(replica, options)
    draining = asyncio.create_task(replica.manager.drain(PATIENCE_S))
    await asyncio.sleep(0)
    second = Reading(replica, keyed(options=options, after_sequence=2))
    replica.simulator.open_gate("go")
    await second.rest()
    whole(first.events, second.events)
    await asyncio.wait_for(draining, PATIENCE_S)
