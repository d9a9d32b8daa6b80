"""A turn is shown in its session while it runs and while it is kept, and CancelTurn stops it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import pytest

from service.gen.trunkline.v1 import session_pb2
from simulator.scripts import Gate, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, failed
from tests.integration.service.test_linger import LONG, Reading, left_alone, turns
from tests.stack import Stack, request


@pytest.fixture(params=[WEBSOCKET, SSE], ids=["websocket", "sse"])
def transport(request):
    return request.param


@pytest.fixture(params=["", "k1"], ids=["without a key", "with a key"])
def key(request):
    return {"turn_key": request.param} if request.param else {}


async def begun(replica: Stack, transport: dict[str, Any], **fields: Any) -> Reading:
    """A turn of which the caller has the start and a delta, and which waits for the upstream."""
    replica.simulator.enqueue(Script(Start(), Say("One", closed=False), Gate("go"), Say(" two.")))
    options = transport | ({"linger": LONG} if fields else {})
    call = Reading(replica, request("Tell me.", options=options, **fields))
    await call.read(2)
    return call


async def shown(replica: Stack) -> list[session_pb2.SessionTurn]:
    """Both calls show the same."""
    one = await replica.sessions.GetSession(session_pb2.GetSessionRequest(session_id="s1"))
    (listed,) = (await replica.sessions.ListSessions(session_pb2.ListSessionsRequest())).sessions
    assert list(listed.running_turns) == list(one.session.running_turns)
    return list(listed.running_turns)


def cancelling(replica: Stack, **name: str) -> Any:
    return replica.sessions.CancelTurn(session_pb2.CancelTurnRequest(session_id="s1", **name))


async def test_a_turn_is_shown_while_it_runs(replica, transport, key):
    call = await begun(replica, transport, **key)
    (turn,) = await shown(replica)
    assert (turn.turn_id, turn.turn_key) == (call.events[0].start.turn_id, key.get("turn_key", ""))
    assert (turn.attached, turn.ended, turn.last_sequence) == (True, False, 2)
    assert abs(turn.started_at.ToSeconds() - time.time()) < PATIENCE_S
    replica.simulator.open_gate("go")
    await call.rest()
    kept = [(turn.ended, turn.attached, turn.last_sequence) for turn in await shown(replica)]
    assert kept == ([(True, False, call.events[-1].sequence)] if key else [])


async def test_a_lingering_turn_is_shown(replica, transport):
    call = await begun(replica, transport, turn_key="k1")
    await call.leave()
    await left_alone(replica)
    (turn,) = await shown(replica)
    assert (turn.turn_key, turn.attached, turn.ended) == ("k1", False, False)
    await cancelling(replica, turn_key="k1")


async def test_cancelling_stops_the_turn_and_the_upstream(replica, transport, key):
    call = await begun(replica, transport, **key)
    turn_id = call.events[0].start.turn_id
    await cancelling(replica, turn_id=turn_id)
    assert await shown(replica) == []
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)
    failure = await failed(call.rest())
    assert (failure.code, failure.reason) == (grpc.StatusCode.CANCELLED, "CANCELLED")
    error = call.events[-1].error
    assert (error.reason, error.retryable, error.report.attempts) == ("CANCELLED", False, 1)
    assert error.partial.parts[0].text.text == "One"
    assert (await failed(cancelling(replica, turn_id=turn_id))).reason == "TURN_NOT_FOUND"


async def test_a_lingering_turn_is_cancelled_by_its_key(replica, transport):
    call = await begun(replica, transport, turn_key="k1")
    await call.leave()
    await left_alone(replica)
    await cancelling(replica, turn_key="k1")
    assert turns(replica) == []
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)
    failure = await failed(cancelling(replica, turn_key="k1"))
    assert (failure.code, failure.reason) == (grpc.StatusCode.NOT_FOUND, "TURN_NOT_FOUND")


async def test_a_turn_that_has_ended_is_forgotten(replica, transport):
    wanted = request("Tell me.", turn_key="k1", options=transport | {"linger": LONG})
    await replica.turn(wanted)
    await cancelling(replica, turn_key="k1")
    assert (await replica.done(wanted)).report.attached is False
    assert replica.simulator.stats.requests_total == 2


async def test_the_session_goes_on_after_it(replica, transport, key):
    call = await begun(replica, transport, **key)
    await cancelling(replica, turn_id=call.events[0].start.turn_id)
    await failed(call.rest())
    async with asyncio.timeout(PATIENCE_S):
        assert await replica.done(request("Hello.", options=transport))
