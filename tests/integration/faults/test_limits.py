"""Over a limit: refused at once and by name, reported when to come back, and nothing was sent."""

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
    """Twenty at once: five run, three wait, and twelve are reported so while those still run."""
    replica = await start({"MAX_TURNS": "5", "QUEUE_SIZE": "3"})
    replica.simulator.enqueue(*[HELD] * 8)
    calls = [
        asyncio.ensure_future(replica.turn(request("Hello.", session=f"s{number}"))) for number in range(20)
    ]
    await until(lambda: sum(call.done() for call in calls) == 12)
    assert replica.simulator.stats.requests_total <= 5
    assert len(replica.manager._admission._queue) == 3
    replica.simulator.open_gate("go")
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends].count(list) == 8
    assert replica.simulator.stats.max_in_flight == 5
    assert {end.code() for end in ends if isinstance(end, grpc.aio.AioRpcError)} == {
        grpc.StatusCode.RESOURCE_EXHAUSTED
    }


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"MAX_TURNS": "1"}, id="turns"),
        pytest.param({"MAX_SESSIONS": "1"}, id="sessions"),
        pytest.param({"MAX_CONNECTIONS": "1"}, id="connections"),
    ],
)
async def test_who_is_refused_learns_when_to_come_back(start, settings):
    replica = await start(settings)
    replica.simulator.enqueue(HELD)
    running = asyncio.ensure_future(replica.done(request("Hello.", session="running")))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    before = replica.simulator.stats.requests_total
    with replica.connecting_within(0.1):
        refused = await ended(replica, options=WEBSOCKET)
    assert (refused.info.reason, refused.retry_after) == ("OVERLOADED", 1.0)
    assert f"TRUNKLINE_{next(iter(settings))}" in refused.reported
    assert replica.simulator.stats.requests_total == before
    replica.simulator.open_gate("go")
    await running
    await ended(replica, options=WEBSOCKET)


async def test_the_limit_of_one_tenant_is_not_another_s(start):
    replica = await start({"MAX_SESSIONS": "1", "AUTH_TOKENS": "ta=a,tb=b"})
    replica.simulator.enqueue(HELD)
    a, b = ((("authorization", f"Bearer t{name}"),) for name in "ab")
    running = asyncio.ensure_future(replica.done(request("Hello.", session="one"), metadata=a))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    refused = await ended_call(replica, request("Hello.", session="two"), metadata=a)
    assert refused.info.reason == "OVERLOADED"
    await replica.done(request("Hello.", session="two"), metadata=b)
    replica.simulator.open_gate("go")
    await running


async def test_a_request_over_the_limit_is_refused_before_anything_is_sent(start):
    replica = await start({"MAX_REQUEST_BYTES": "100000"})
    found = await ended(replica, "x" * 100_001)
    assert found.info.reason == "INVALID_REQUEST"
    assert found.reported == "request: has 100036 bytes; at most 100000 are allowed"
    await replica.done(request("x" * 50_000))


@pytest.mark.parametrize(("options", "words"), [({}, 50_000), (SSE, 25_000)], ids=["websocket", "sse"])
async def test_a_caller_who_hardly_reads_costs_little_and_slows_nobody(replica, options, words):
    """Tens of thousands of deltas wait with the upstream, not with us; and all of them arrive."""
    replica.simulator.enqueue(Script(Pace(8), Say("1234567 " * words)))
    call = replica.completions.StreamCompletion(request("Go.", session="slow", options=options))
    slow = aiter(call)
    reported = (await anext(slow)).text_delta.delta
    for _ in range(5):
        reported += (await anext(slow)).text_delta.delta
        await asyncio.gather(
            *(replica.done(request("sim:say", session=f"s{number}")) for number in range(10))
        )
    assert replica.simulator.stats.in_flight == 1, "nothing held the upstream back"
    line = replica.manager._registry.find("", "slow").line
    assert line is None or sum(map(len, line._connection.messages)) < 1_000_000
    reported += "".join([event.text_delta.delta async for event in slow])
    assert len(reported) == 8 * words


async def test_what_comes_in_is_bounded_too(start, monkeypatch):
    """We close on an upstream that sends more in one message than we take; the turn hears it as nonsense."""
    monkeypatch.setattr(handshake, "MAX_MESSAGE_BYTES", 70_000)
    replica = await start({"REPLAY": "safe-only"})
    found = await ended(replica, "sim:long(bytes=80000)")
    assert found.info.reason == "PROTOCOL_ERROR"
    assert found.info.metadata["upstream_status"] == "1009"
    assert text_of(found.events)[:10] == "The quick "
