"""Over a limit: refused at once and by name, told when to come back, and nothing was sent."""

import asyncio

import grpc
import pytest

from service.transport import handshake
from simulator.scripts import Gate, Pace, Say, Script
from tests.integration.faults.endings import ended, ended_call
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, until
from tests.stack import request, text_of

HELD = Script(Gate("go"), Say("At last."))


async def test_over_max_turns_and_its_queue_each_turn_is_refused_at_once(start):
    """Twenty at once: five run, three wait, and twelve are told so while those still run."""
    house = await start({"MAX_TURNS": "5", "QUEUE_SIZE": "3"})
    house.simulator.enqueue(*[HELD] * 8)
    calls = [
        asyncio.ensure_future(house.turn(request("Hello.", session=f"s{number}"))) for number in range(20)
    ]
    await until(lambda: sum(call.done() for call in calls) == 12)
    assert house.simulator.stats.requests_total <= 5
    assert len(house.manager._admission._queue) == 3
    house.simulator.open_gate("go")
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends].count(list) == 8
    assert house.simulator.stats.max_in_flight == 5
    assert {end.code() for end in ends if isinstance(end, grpc.aio.AioRpcError)} == {
        grpc.StatusCode.RESOURCE_EXHAUSTED
    }


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"MAX_TURNS": "1"}, id="turns"),
        pytest.param({"MAX_SESSIONS": "1"}, id="sessions"),
        pytest.param({"MAX_CONNECTIONS": "1", "CONNECT_TIMEOUT_S": "0.2"}, id="connections"),
    ],
)
async def test_who_is_refused_is_told_when_to_come_back(start, settings):
    house = await start(settings)
    house.simulator.enqueue(HELD)
    running = asyncio.ensure_future(house.done(request("Hello.", session="running")))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
    before = house.simulator.stats.requests_total
    refused = await ended(house, options=WEBSOCKET)
    assert (refused.info.reason, refused.retry_after) == ("OVERLOADED", 1.0)
    assert f"TRUNKLINE_{next(iter(settings))}" in refused.told
    assert house.simulator.stats.requests_total == before
    house.simulator.open_gate("go")
    await running
    await ended(house, options=WEBSOCKET)


async def test_the_limit_of_one_tenant_is_not_another_s(start):
    house = await start({"MAX_SESSIONS": "1", "AUTH_TOKENS": "ta=a,tb=b"})
    house.simulator.enqueue(HELD)
    a, b = ((("authorization", f"Bearer t{name}"),) for name in "ab")
    running = asyncio.ensure_future(house.done(request("Hello.", session="one"), metadata=a))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
    refused = await ended_call(house, request("Hello.", session="two"), metadata=a)
    assert refused.info.reason == "OVERLOADED"
    await house.done(request("Hello.", session="two"), metadata=b)
    house.simulator.open_gate("go")
    await running


async def test_a_request_over_the_limit_is_refused_before_anything_is_sent(start):
    house = await start({"MAX_REQUEST_BYTES": "100000"})
    found = await ended(house, "x" * 100_001)
    assert found.info.reason == "INVALID_REQUEST"
    assert found.told == "request: has 100036 bytes; at most 100000 are allowed"
    await house.done(request("x" * 50_000))


@pytest.mark.parametrize(("options", "words"), [({}, 50_000), (SSE, 25_000)], ids=["websocket", "sse"])
async def test_a_caller_who_hardly_reads_costs_little_and_slows_nobody(house, options, words):
    """Tens of thousands of deltas wait with the upstream, not with us; and all of them arrive."""
    house.simulator.enqueue(Script(Pace(8), Say("1234567 " * words)))
    call = house.completions.StreamCompletion(request("Go.", session="slow", options=options))
    slow = aiter(call)
    told = (await anext(slow)).text_delta.delta
    for _ in range(5):
        told += (await anext(slow)).text_delta.delta
        await asyncio.gather(*(house.done(request("sim:say", session=f"s{number}")) for number in range(10)))
    assert house.simulator.stats.in_flight == 1, "nothing held the upstream back"
    line = house.manager._registry.find("", "slow").line
    assert line is None or sum(map(len, line._connection.messages)) < 1_000_000
    told += "".join([event.text_delta.delta async for event in slow])
    assert len(told) == 8 * words


async def test_what_comes_in_is_bounded_too(start, monkeypatch):
    """We close on an upstream that sends more in one message than we take; the turn hears it as nonsense."""
    monkeypatch.setattr(handshake, "MAX_MESSAGE_BYTES", 70_000)
    house = await start({"REPLAY": "safe-only"})
    found = await ended(house, "sim:long(bytes=80000)")
    assert found.info.reason == "PROTOCOL_ERROR"
    assert found.info.metadata["upstream_status"] == "1009"
    assert text_of(found.events)[:10] == "The quick "
