"""No connection is available: what the turn does, what the next ones do, and how connections come back."""

import asyncio
import time

import grpc
import pytest

from simulator import Settings
from simulator.scripts import Close, Drop, Hang, Say, Script, Start
from tests.integration.faults import raw
from tests.integration.faults.endings import ended
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, Talk, context, route
from tests.stack import request

REFUSED = "upgrade_refused"
FAILED = "connect_failed"


@pytest.mark.parametrize(
    ("status", "retry_after", "why", "pause_s"),
    [
        (426, None, REFUSED, (480, 600)),
        (404, None, REFUSED, (480, 600)),
        (405, None, REFUSED, (480, 600)),
        (501, None, REFUSED, (480, 600)),
        (403, None, FAILED, (48, 60)),
        (403, "120", FAILED, (119, 120)),
        (429, "3600", FAILED, (599, 600)),
        (500, None, FAILED, (48, 60)),
        (502, None, FAILED, (48, 60)),
        (503, "7", FAILED, (48, 60)),
        (503, "300", FAILED, (299, 300)),
    ],
)
async def test_after_a_refused_handshake_the_websocket_is_left_alone(
    start, status, retry_after, why, pause_s
):
    """One handshake for any number of turns: by SSE where they may, refused at once where they may not."""
    replica = await start(upstream=Settings(refuse_websocket=status, retry_after=retry_after))
    began = time.monotonic()
    assert route((await ended(replica)).done) == ("SSE", why)
    assert route((await ended(replica)).done) == ("SSE", "cooldown")
    forced = await ended(replica, options=WEBSOCKET)
    assert forced.info.reason == "CONNECT_FAILED"
    assert forced.info.metadata["transport_reason"] == "cooldown"
    assert pause_s[0] - (time.monotonic() - began) <= forced.retry_after <= pause_s[1]
    assert replica.simulator.stats.handshakes == 1


async def test_a_refused_key_is_reported_and_never_tried_otherwise(start):
    replica = await start(upstream=Settings(keys=("another",)))
    for turn in (1, 2):
        found = await ended(replica)
        assert (found.code, found.info.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "UPSTREAM_AUTH")
        assert replica.simulator.stats.handshakes == turn
    assert replica.simulator.stats.http_requests == 0


async def test_a_handshake_that_hangs_costs_one_wait_and_not_one_a_turn(start):
    replica = await start({"CONNECT_TIMEOUT_S": "3"}, upstream=Settings(hang_handshake=True))
    routes = [route((await ended(replica, session=f"s{number}")).done) for number in range(20)]
    assert routes == [("SSE", "connect_failed")] + [("SSE", "cooldown")] * 19
    assert replica.simulator.stats.handshakes == 1


async def test_a_forced_turn_hears_which_wait_ran_out(start):
    replica = await start({"CONNECT_TIMEOUT_S": "1"}, upstream=Settings(hang_handshake=True))
    found = await ended(replica, options=WEBSOCKET)
    assert (found.code, found.info.reason) == (grpc.StatusCode.UNAVAILABLE, "CONNECT_FAILED")
    assert "took longer than 1 s (TRUNKLINE_CONNECT_TIMEOUT_S)" in found.reported


async def test_turns_that_wait_to_dial_do_not_repeat_a_dial_that_failed(start):
    replica = await start({"MAX_DIALS": "1"}, upstream=Settings(refuse_websocket=503))
    turns = await asyncio.gather(
        *(replica.done(request("Hi.", session=f"s{number}")) for number in range(30))
    )
    assert sorted({route(done) for done in turns}) == [("SSE", "connect_failed"), ("SSE", "cooldown")]
    assert replica.simulator.stats.handshakes == 1


async def test_when_the_pause_is_over_a_single_dial_probes(start):
    """The others do not wait for its outcome."""
    replica = await start(upstream=Settings(refuse_websocket=503))
    await ended(replica)
    replica.simulator.settings.refuse_websocket = None
    replica.simulator.settings.hang_handshake = True
    replica.pool._breaker._retry_at = 0.0
    probe = asyncio.ensure_future(replica.done(request("Hi.", session="probe")))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.handshakes == 2, PATIENCE_S)
    turns = await asyncio.gather(
        *(replica.done(request("Hi.", session=f"s{number}")) for number in range(20))
    )
    assert {route(done) for done in turns} == {("SSE", "cooldown")}
    assert replica.simulator.stats.handshakes == 2
    probe.cancel()


async def test_a_probe_that_succeeds_brings_all_lines_back(start):
    replica = await start(upstream=Settings(refuse_websocket=503))
    await ended(replica)
    replica.simulator.settings.refuse_websocket = None
    replica.pool._breaker._retry_at = 0.0
    assert route((await ended(replica)).done) == ("WEBSOCKET", "preferred")
    turns = await asyncio.gather(
        *(replica.done(request("Hi.", session=f"s{number}")) for number in range(20))
    )
    assert {route(done) for done in turns} == {("WEBSOCKET", "preferred")}


@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.slow)])
async def test_sessions_that_rotate_at_once_are_no_storm(start, monkeypatch, count):
    replica = await start({"MAX_DIALS": "8", "CONNECT_TIMEOUT_S": "60"})
    endpoint = replica.simulator._endpoint
    refusal, in_flight, full = endpoint._refusal, [0, 0], asyncio.Event()

    async def counted(asked):
        in_flight[0] += 1
        in_flight[1] = max(in_flight)
        if in_flight[0] == 8:
            full.set()
        await full.wait()  # the first handshakes are answered together, however late each one comes
        try:
            return await refusal(asked)
        finally:
            in_flight[0] -= 1

    monkeypatch.setattr(endpoint, "_refusal", counted)
    sessions = [f"s{number}" for number in range(count)]
    for turn in (1, 2):
        done = await asyncio.gather(*(replica.done(request("sim:say", session=name)) for name in sessions))
        assert {(route(one), one.report.connection_reused) for one in done} == {
            (("WEBSOCKET", "preferred"), False)
        }
        assert replica.simulator.stats.handshakes == count * turn
        replica.simulator.drop_all(1001)
        await replica.simulator.wait_for(lambda: not replica.simulator.stats.open_connections, PATIENCE_S)
    assert in_flight[1] == 8


# Lines that are opened and never say a word.

SILENT, DROPPED, SAID = Script(Hang()), Script(Drop()), Script(Say("Hello."))
HASTE = {"FIRST_EVENT_TIMEOUT_S": "1"}
"""Short for what never comes; long enough for what does, on a busy machine."""


async def routes(replica, turns, **fields):
    return [route((await ended(replica, session=f"s{number}", **fields)).done) for number in range(turns)]


async def test_an_endpoint_that_accepts_and_stays_silent_costs_two_waits_and_not_one_a_turn(start):
    replica = await start(HASTE)
    replica.simulator.enqueue(SILENT, SAID, SILENT, SAID)
    assert await routes(replica, 20) == [("SSE", "timeout")] * 2 + [("SSE", "cooldown")] * 18
    assert replica.simulator.stats.handshakes == 2
    assert replica.simulator.stats.requests_total == 22


async def test_an_endpoint_that_accepts_and_drops_is_left_alone(start):
    """One line may be lost by chance, or by its request: each turn that loses one goes on by SSE."""
    replica = await start()
    replica.simulator.enqueue(DROPPED, SAID, DROPPED, SAID)
    assert await routes(replica, 4) == [("SSE", "connection_lost")] * 2 + [("SSE", "cooldown")] * 2
    assert replica.simulator.stats.handshakes == 2


@pytest.mark.parametrize("code", [None, 1000, 1001, 1012, 1008, 1011, 1013, 4003])
async def test_a_gateway_that_accepts_and_closes_costs_no_answer(start, code):
    """It takes the handshake and the first request, and has no WebSocket to the model."""
    asked = []

    async def handle(reader, writer, head):
        asked.append(raw.is_upgrade(head))
        if raw.is_upgrade(head):
            writer.write(raw.accepted(head))
            await reader.read(2**16)
            writer.write(raw.frame(b"", 9) + (raw.closing(code) if code else b""))
        else:
            writer.write(raw.STREAM + raw.as_stream(raw.ANSWER))

    async with raw.upstream(handle) as url:
        replica = await start({"UPSTREAM_URL": url})
        for number in range(2):
            done = await replica.done(request("Hello.", session=f"s{number}"))
            assert (route(done), done.report.attempts) == (("SSE", "connection_lost"), 2)
        assert route(await replica.done(request("Hello.", session="s3"))) == ("SSE", "cooldown")
    assert asked == [True, False, True, False, False]


@pytest.mark.parametrize("code", [None, 1000, 1008, 1011])
async def test_a_line_that_served_turns_is_replaced_by_a_new_one(start, code):
    """Whatever the code: that WebSockets work here is known."""

    async def handle(reader, writer, head):
        writer.write(raw.accepted(head))
        await reader.read(2**16)
        writer.write(raw.as_frames(raw.ANSWER))
        await reader.read(2**16)
        writer.write(raw.closing(code) if code else b"")

    async with raw.upstream(handle) as url:
        replica = await start({"UPSTREAM_URL": url})
        talk = Talk(replica)
        await talk.say("Hello.")
        done = await talk.say("And again.")
        assert (route(done), done.report.attempts) == (("WEBSOCKET", "preferred"), 2)
        assert context(done) == (False, "new_connection")


async def test_what_one_conversation_meets_again_and_again_leaves_the_others_their_lines(start):
    replica = await start(HASTE)
    for _ in range(4):
        replica.simulator.enqueue(SILENT, SAID)
        assert route((await ended(replica, session="slow")).done) == ("SSE", "timeout")
    assert await routes(replica, 2) == [("WEBSOCKET", "preferred")] * 2


async def test_lines_that_a_bad_key_opened_leave_the_others_theirs(start):
    """The upstream takes any handshake, and hangs up on a key that it does not know."""

    async def handle(reader, writer, head):
        writer.write(raw.accepted(head))
        await reader.read(2**16)
        if b"Bearer bad" not in head:
            writer.write(raw.as_frames(raw.ANSWER))
            await reader.read(2**16)

    async with raw.upstream(handle) as url:
        replica = await start({"UPSTREAM_URL": url, "CALLER_KEYS": "1"})
        for number in range(3):
            with pytest.raises(grpc.aio.AioRpcError):
                await replica.turn(
                    request("Hi.", session=f"bad{number}", options=WEBSOCKET),
                    metadata=(("x-upstream-key", "bad"),),
                )
        for number in range(2):
            done = await replica.done(request("Hi.", session=f"good{number}"))
            assert route(done) == ("WEBSOCKET", "preferred")


async def test_a_turn_whose_line_is_the_second_mute_one_goes_on_by_sse(start):
    replica = await start(HASTE)
    replica.simulator.enqueue(SILENT, SAID, DROPPED)
    assert await routes(replica, 3) == [("SSE", "timeout"), ("SSE", "connection_lost"), ("SSE", "cooldown")]
    assert replica.simulator.stats.handshakes == 2


async def test_mute_lines_between_others_that_speak_are_chance(replica):
    for number in range(3):
        replica.simulator.enqueue(DROPPED)
        assert (await ended(replica, session=f"mute{number}")).routes == "ws sse"
        assert (await ended(replica, session=f"good{number}")).routes == "ws"


async def test_a_forced_turn_learns_it_too(start):
    replica = await start(HASTE)
    for session in ("one", "another"):
        replica.simulator.enqueue(SILENT, SILENT)
        assert (await ended(replica, options=WEBSOCKET, session=session)).info.reason in (
            "TIMEOUT",
            "CONNECT_FAILED",
        )
    refused = await ended(replica, options=WEBSOCKET)
    assert (refused.info.reason, refused.requests) == ("CONNECT_FAILED", [])
    assert refused.info.metadata["transport_reason"] == "cooldown"
    assert await routes(replica, 1) == [("SSE", "cooldown")]


async def test_a_caller_who_does_not_wait_for_the_first_word_says_nothing_of_the_line(replica):
    replica.simulator.enqueue(*[SILENT] * 3)
    stats = replica.simulator.stats
    for number in range(3):
        turn = asyncio.ensure_future(replica.turn(request("Hello.", session=f"s{number}")))
        await replica.simulator.wait_for(lambda: stats.in_flight == 1, PATIENCE_S)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        await replica.simulator.wait_for(lambda: stats.in_flight == 0, PATIENCE_S)
    assert stats.aborted == 3
    assert await routes(replica, 1) == [("WEBSOCKET", "preferred")]


async def test_a_close_by_policy_after_a_word_says_nothing_of_the_line(replica):
    for number in range(3):
        replica.simulator.enqueue(Script(Start(), Close(1008)))
        assert (await ended(replica, session=f"s{number}")).routes == "ws ws"
    assert await routes(replica, 1) == [("WEBSOCKET", "preferred")]


async def test_a_probe_whose_line_stays_mute_is_a_failed_one_and_a_word_is_none(start):
    replica = await start(HASTE)
    breaker = replica.pool._breaker
    replica.simulator.enqueue(SILENT, SAID, SILENT, SAID)
    await routes(replica, 2)
    breaker._retry_at = 0.0
    replica.simulator.enqueue(SILENT, SAID)
    began = time.monotonic()
    assert await routes(replica, 2) == [("SSE", "timeout"), ("SSE", "cooldown")]
    refused = await ended(replica, options=WEBSOCKET)
    assert refused.retry_after is not None
    assert 96 - (time.monotonic() - began) <= refused.retry_after <= 120
    breaker._retry_at = 0.0
    assert await routes(replica, 2) == [("WEBSOCKET", "preferred")] * 2
    replica.simulator.enqueue(DROPPED)
    assert (await ended(replica, session="another")).routes == "ws sse"


# Upstreams that are none.


async def no_answer(reader, writer, head):
    """Hangs up on whoever calls."""


async def no_http(reader, writer, head):
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")


async def a_page(reader, writer, head):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello")


async def a_wrong_key(reader, writer, head):
    writer.write(raw.accepted(b"sec-websocket-key: wrong\r\n"))


@pytest.mark.parametrize("handle", [no_answer, no_http, a_page, a_wrong_key])
async def test_what_is_no_websocket_lets_nothing_be_sent(start, handle):
    async with raw.upstream(handle) as url:
        replica = await start({"UPSTREAM_URL": url})
        found = await ended(replica, options=WEBSOCKET)
        assert (found.code, found.info.reason) == (grpc.StatusCode.UNAVAILABLE, "CONNECT_FAILED")


async def test_the_key_goes_nowhere_else(start):
    """A redirect is not followed, over neither transport."""
    callers = []

    async def elsewhere(reader, writer, head):
        callers.append(head)

    async with raw.upstream(elsewhere) as other:

        async def redirect(reader, writer, head):
            writer.write(f"HTTP/1.1 307 Moved\r\nLocation: {other}\r\nContent-Length: 0\r\n\r\n".encode())

        async with raw.upstream(redirect) as url:
            replica = await start({"UPSTREAM_URL": url})
            forced = [event async for event in _events(replica, WEBSOCKET)]
            by_sse = [event async for event in _events(replica, SSE)]
    assert [forced[-1].code(), by_sse[-1].code()] == [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
    ]
    assert callers == []


async def test_lines_that_close_as_soon_as_they_are_open_lead_to_sse(start):
    """Nothing was written on any of them, so nothing is lost by going another way."""
    opened = []

    async def handle(reader, writer, head):
        if raw.is_upgrade(head):
            opened.append(head)
            writer.write(raw.accepted(head) + raw.closing(1013))
        else:
            writer.write(raw.STREAM + raw.as_stream(raw.ANSWER))

    async with raw.upstream(handle) as url:
        replica = await start({"UPSTREAM_URL": url})
        done = await replica.done(request("Hello."))
        assert (route(done), done.report.attempts) == (("SSE", "connection_lost"), 1)
        assert len(opened) == 4
        assert route(await replica.done(request("Hello.", session="s2"))) == ("SSE", "cooldown")
        assert len(opened) == 5


async def test_lines_that_close_as_soon_as_they_are_open_are_none(start):
    async def handle(reader, writer, head):
        writer.write(raw.accepted(head) + raw.closing(1013))

    async with raw.upstream(handle) as url:
        replica = await start({"UPSTREAM_URL": url})
        found = await ended(replica, options=WEBSOCKET)
        assert (found.code, found.info.reason) == (grpc.StatusCode.UNAVAILABLE, "CONNECT_FAILED")


async def test_an_upstream_is_asked_not_to_compress(replica):
    """What is read is read as it comes."""
    await ended(replica, options=SSE)
    assert replica.simulator.requests[-1].headers["Accept-Encoding"] == "identity"


async def test_a_connection_that_the_upstream_closed_meanwhile_is_not_used_again(replica):
    """A POST goes over a connection that is open, or over a new one."""
    talk = Talk(replica, options=SSE)
    await talk.say("Hello.")
    for transport in list(replica.simulator._runner.server.connections):
        transport.force_close()
    done = await talk.say("And again.")
    assert done.report.attempts == 1


async def _events(replica, options):
    """The events, and last of all how the call failed."""
    try:
        async for event in replica.completions.StreamCompletion(request("Hello.", options=options)):
            yield event
    except grpc.aio.AioRpcError as error:
        yield error
