"""Each wait has a name and an end; and what is dead is found, not waited for."""

import asyncio

import grpc
import pytest

from simulator import Settings
from simulator.scripts import Drop, Hang, Pace, Say, Script, Start, Wait
from tests.integration.faults import raw
from tests.integration.faults.endings import ended
from tests.integration.service.talk import SSE, WEBSOCKET, Talk, context, until
from tests.stack import request, text_of

BIG = "x" * 8_000_000
"""More than the network holds for a peer that does not read."""

SOON = "1"
"""Short for what never comes; long enough for what does, on a busy machine."""


@pytest.mark.parametrize(
    ("options", "script", "variable", "said"),
    [
        (WEBSOCKET, Script(Hang()), "FIRST_EVENT_TIMEOUT_S", "next event"),
        (SSE, Script(Hang()), "FIRST_EVENT_TIMEOUT_S", "next event"),
        (WEBSOCKET, Script(Start(), Hang()), "IDLE_TIMEOUT_S", "next event"),
        (SSE, Script(Start(), Hang()), "IDLE_TIMEOUT_S", "next event"),
        (WEBSOCKET, Script(Hang()), "TURN_TIMEOUT_S", "the turn took longer"),
        (SSE, Script(Start(), Hang()), "TURN_TIMEOUT_S", "the turn took longer"),
    ],
)
async def test_each_wait_says_its_name(start, options, script, variable, said):
    replica = await start({variable: SOON})
    replica.simulator.enqueue(script, script)
    found = await ended(replica, options=options)
    assert (found.code, found.info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "TIMEOUT")
    assert said in found.reported
    assert f"{SOON} s (TRUNKLINE_{variable})" in found.reported


COMMENT, PING = b": prefill\n\n", raw.frame(b"", 9)
PARTIAL = [raw.frame(b'{"type":"keep', fin=False), raw.frame(b'alive"}', 0)]
KEEPALIVE = raw.as_frames([{"type": "keepalive"}])


def alive(signs, times):
    """An upstream that reads a long prompt: it shows life so many times, and then answers."""

    async def handle(reader, writer, head):
        websocket = raw.is_upgrade(head)
        writer.write(raw.accepted(head) if websocket else raw.STREAM)
        if websocket:
            await reader.read(2**16)
        for number in range(times):
            await asyncio.sleep(0.2)  # time itself is what is tested
            writer.write(signs[number % len(signs)])
        writer.write(raw.as_frames(raw.ANSWER) if websocket else raw.as_stream(raw.ANSWER))
        if websocket:
            await reader.read(2**16)

    return handle


@pytest.mark.parametrize(
    ("options", "signs"),
    [
        (SSE, [COMMENT]),
        (SSE, [b":", b"\n"]),
        (SSE, [raw.as_stream([{"type": "keepalive"}]), COMMENT]),
        (WEBSOCKET, [PING]),
        (WEBSOCKET, [KEEPALIVE]),
        (WEBSOCKET, [KEEPALIVE, PING]),
        (WEBSOCKET, PARTIAL),
    ],
)
async def test_who_shows_life_is_not_asked_again(start, options, signs):
    async with raw.upstream(alive(signs, 10)) as url:
        replica = await start({"UPSTREAM_URL": url, "FIRST_EVENT_TIMEOUT_S": "1.5"})
        done = await replica.done(request("Hello.", options=options))
    assert done.report.attempts == 1
    first = done.report.timings.first_event
    assert first.seconds + first.nanos / 1e9 > 1.5  # the first event, not the first byte


@pytest.mark.parametrize(("options", "sign"), [(SSE, COMMENT), (WEBSOCKET, PING), (WEBSOCKET, KEEPALIVE)])
async def test_life_without_an_event_has_an_end(start, options, sign):
    async with raw.upstream(alive([sign], 1000)) as url:
        waits = {"FIRST_EVENT_TIMEOUT_S": "1.5", "FIRST_EVENT_LIMIT_S": "2", "REPLAY": "safe-only"}
        replica = await start({"UPSTREAM_URL": url} | waits)
        reported = await _failure(replica, request("Hello.", options=options))
    assert "took longer than 2 s (TRUNKLINE_FIRST_EVENT_LIMIT_S)" in reported


async def test_a_pong_is_no_sign_that_an_answer_will_come(start):
    """A proxy answers our pings for a model that is gone."""
    replica = await start({"FIRST_EVENT_TIMEOUT_S": SOON, "PING_INTERVAL_S": "0.1"})
    replica.simulator.enqueue(Script(Hang()))
    found = await ended(replica)
    assert found.routes == "ws sse"
    assert replica.simulator.stats.pings >= 1


async def test_a_peer_that_does_not_read_is_not_written_to_for_ever(start):
    replica = await start({"SEND_TIMEOUT_S": SOON}, upstream=Settings(deaf=True))
    reported = await _failure(replica, request(BIG, options=WEBSOCKET))
    assert "writing the request took longer than 1 s (TRUNKLINE_SEND_TIMEOUT_S)" in reported
    replica.simulator.drop_all()  # it does not even read that we hung up


async def test_a_peer_that_does_not_read_a_post_is_not_written_to_for_ever(start):
    async def deaf(reader, writer, head):
        await asyncio.Event().wait()

    async with raw.upstream(deaf) as url:
        replica = await start({"SEND_TIMEOUT_S": SOON, "UPSTREAM_URL": url})
        assert "TRUNKLINE_SEND_TIMEOUT_S" in await _failure(replica, request(BIG, options=SSE))


async def test_a_peer_that_does_not_read_is_given_up_for_sse(start):
    replica = await start({"SEND_TIMEOUT_S": SOON}, upstream=Settings(deaf=True))
    done = await replica.done(request(BIG))
    assert (done.report.transport_reason, done.report.attempts) == ("timeout", 2)
    replica.simulator.drop_all()


async def test_silence_within_the_wait_is_no_fault(start):
    """Longer than it takes to be pinged, shorter than the wait between events."""
    replica = await start({"PING_INTERVAL_S": "0.1", "PING_TIMEOUT_S": "5"})
    replica.simulator.enqueue(Script(Say("First. "), Wait(0.5), Say("Second.")))
    assert text_of((await ended(replica)).events) == "First. Second."
    assert replica.simulator.stats.pings >= 1


async def test_a_slow_drip_is_no_silence(start):
    """Each event restarts the wait."""
    replica = await start({"IDLE_TIMEOUT_S": "1"})
    replica.simulator.enqueue(Script(Pace(1, 0.1), Say("fifteen letters")))
    found = await ended(replica)
    assert text_of(found.events) == "fifteen letters"
    total = found.done.report.timings.total
    assert total.seconds + total.nanos / 1e9 > 1.0


async def test_a_peer_without_pongs_is_reported_as_lost(start):
    """Long before the wait between events is over."""
    replica = await start({"PING_INTERVAL_S": "0.1", "PING_TIMEOUT_S": SOON})
    replica.simulator.enqueue(Script(Say("Half of it", closed=False), Hang(pongs=False)))
    found = await ended(replica)
    assert found.info.reason == "CONNECTION_LOST"
    assert "answered no ping" in found.reported


async def test_a_caller_who_does_not_read_is_no_dead_peer(start):
    """While the caller blocks us we do not read the upstream, so we do not judge it either."""
    replica = await start({"PING_INTERVAL_S": "0.1", "PING_TIMEOUT_S": SOON, "IDLE_TIMEOUT_S": "2"})
    call = replica.completions.StreamCompletion(request("sim:long(bytes=3000000)"))
    events = aiter(call)
    first = await anext(events)
    line = replica.manager._registry.find("", "s1").line
    await until(lambda: not line._connection.reading)
    await asyncio.sleep(2.5)  # time itself is what is tested: several pings and the wait between events
    rest = [event async for event in events]
    assert (first.WhichOneof("event"), rest[-1].WhichOneof("event")) == ("start", "done")
    assert len(text_of(rest)) == 3_000_000


async def test_an_idle_line_whose_peer_is_gone_is_not_used(start):
    """Half open: nobody hung up. Its pings find out while nobody calls; the turn never notices."""
    replica = await start({"PING_INTERVAL_S": "0.1", "PING_TIMEOUT_S": "3"})
    talk = Talk(replica)
    await talk.say("Hello.")
    (connection,) = replica.simulator.connections.values()
    connection._request.transport.pause_reading()
    await until(lambda: replica.manager._registry.find("", "s1").line is None)
    done = await talk.say("And again.")
    assert (context(done), done.report.attempts) == ((False, "new_connection"), 1)
    replica.simulator.drop_all()  # a peer that does not read does not see that we hung up


async def test_a_line_under_suspicion_is_not_used(start):
    """Its peer owes an answer to a ping: perhaps dead, and a turn is not the way to find out.

    Pings that were answered before change nothing: it is pinged every interval, however long the timeout.
    """
    replica = await start({"PING_INTERVAL_S": "0.1", "PING_TIMEOUT_S": "60"})
    talk = Talk(replica)
    await talk.say("Hello.")
    await until(lambda: replica.simulator.stats.pings >= 2)
    (connection,) = replica.simulator.connections.values()
    connection._request.transport.pause_reading()
    line = replica.manager._registry.find("", "s1").line
    await until(lambda: line is None or not line.healthy)
    done = await talk.say("And again.")
    assert done.report.attempts == 1
    assert replica.simulator.requests[-1].connection_id != connection.id
    replica.simulator.drop_all()


async def test_a_line_that_dies_as_it_is_used_is_replaced(start):
    """The request and the end of the line cross each other."""
    replica = await start()
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(Script(Drop()))
    done = await talk.say("And again.")
    assert (context(done), done.report.attempts) == ((False, "new_connection"), 2)
    assert talk.received.repeated_items == 0


async def _failure(replica, asked):
    """What is reported of a turn that ran out of time, and whose request the upstream never read whole."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await replica.turn(asked)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    return caught.value.details()
