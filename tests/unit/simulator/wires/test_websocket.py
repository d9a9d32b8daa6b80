"""Every way in which a WebSocket can end or fail, seen by an independent client library."""

import asyncio
import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from simulator import scripts
from simulator.scripts import Close, Complete, Drop, Emit, End, Fail, Gate, Hang, Page, Say, Script, Start

POSITIONS = ["start", "created", "content"]
SEEN = {"start": 0, "created": 2, "content": 10}


async def all_events(socket) -> tuple[list[dict[str, Any]], ConnectionClosed | None]:
    events: list[dict[str, Any]] = []
    try:
        async for frame in socket:
            events.append(json.loads(frame))  # noqa: PERF401 (what came before the end must be there)
    except ConnectionClosed as closed:
        return events, closed
    return events, None


@pytest.mark.parametrize("at", POSITIONS)
@pytest.mark.parametrize("reset", [True, False])
async def test_drop(sim, dial, create, at, reset):
    sim.enqueue(Script(*scripts.until(at), Drop(reset)))
    async with dial() as socket:
        await socket.send(create())
        events, closed = await all_events(socket)
    assert closed is not None
    assert closed.rcvd is None
    if not reset:
        assert len(events) == SEEN[at]
    await sim.wait_for(lambda: sim.stats.open_connections == 0)
    assert sim.requests[0].finished == "broken"


@pytest.mark.parametrize("at", POSITIONS)
@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1012, 1013, 4000])
async def test_close(sim, dial, create, at, code):
    sim.enqueue(Script(*scripts.until(at), Close(code, "because")))
    async with dial() as socket:
        await socket.send(create())
        events, _ = await all_events(socket)
        assert (socket.close_code, socket.close_reason) == (code, "because")
    assert len(events) == SEEN[at]
    await sim.wait_for(lambda: sim.stats.broken == 1)


async def test_end_is_a_normal_close_without_a_terminal_event(sim, dial, create):
    sim.enqueue(Script(Say("Half", closed=False), End()))
    async with dial() as socket:
        await socket.send(create())
        events, closed = await all_events(socket)
    assert closed is None
    assert events[-1]["type"] == "response.output_text.delta"


async def test_a_connection_can_end_after_a_complete_answer(sim, dial, create, receive):
    late = Emit({"type": "error", "error": {"code": "connection_expiring", "message": "Soon."}})
    sim.enqueue(Script(Say("All."), Complete(), late, Close(1001)))
    async with dial() as socket:
        await socket.send(create())
        assert (await receive(socket))[-1]["type"] == "response.completed"
        assert [event["type"] for event in (await all_events(socket))[0]] == ["error"]
        assert socket.close_code == 1001
    assert sim.requests[0].finished == "completed"


async def test_a_page_is_a_close(sim, dial, create):
    sim.enqueue(Script(Page()))
    async with dial() as socket:
        await socket.send(create())
        await all_events(socket)
        assert socket.close_code == 1011


async def test_hang_still_answers_pings(sim, dial, create, receive):
    sim.enqueue(Script(Start(), Hang()))
    async with dial() as socket:
        await socket.send(create())
        await receive(socket, "response.in_progress")
        await (await socket.ping())
        assert sim.stats.pings == 1
    await sim.wait_for(lambda: sim.stats.aborted == 1)


async def test_hang_without_pongs_answers_no_pings(sim, dial, create, receive):
    sim.enqueue(Script(Start(), Hang(pongs=False)))
    async with dial(close_timeout=0.05) as socket:
        await socket.send(create())
        await receive(socket, "response.in_progress")
        await sim.wait_for(lambda: sim.stats.in_flight == 1)
        pong = await socket.ping()
        await sim.wait_for(lambda: sim.stats.pings == 1)
        assert not pong.done()
    await sim.wait_for(lambda: sim.stats.open_connections == 0)


async def test_a_peer_that_reads_nothing_blocks_writes(sim, dial, create):
    sim.settings.deaf = True
    async with dial() as socket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await socket.send(create("x" * 12_000_000))
        # A library that waits for its own close frame to be written would wait here for good.
        socket.transport.abort()
    assert sim.stats.open_connections == 1, "who reads nothing does not notice the end either"
    sim.drop_all()
    await sim.wait_for(lambda: sim.stats.open_connections == 0)
    assert sim.stats.bytes_received == 0


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (scripts.BAD_UTF8, 1007),
        (scripts.BAD_FRAME, 1002),
    ],
)
async def test_garbage_that_the_client_library_refuses(sim, dial, create, garbage, code):
    sim.enqueue(Script(Start(), garbage, Say("More.")))
    async with dial() as socket:
        await socket.send(create())
        _, closed = await all_events(socket)
    assert closed is not None
    assert closed.sent is not None
    assert closed.sent.code == code


@pytest.mark.parametrize(
    ("garbage", "frame"),
    [
        (scripts.NOT_JSON, '{"type": "response.output_text.delta", '),
        (scripts.NOT_AN_OBJECT, '["response.created"]'),
        (scripts.NO_TYPE, '{"delta": "whose?"}'),
        (scripts.BINARY, b"\x00\x01\x02\x03"),
    ],
)
async def test_garbage_that_the_client_library_passes_on(sim, dial, create, receive, *, garbage, frame):
    sim.enqueue(Script(garbage, Say("More.")))
    async with dial() as socket:
        await socket.send(create())
        assert await socket.recv() == frame
        assert (await receive(socket))[-1]["type"] == "response.completed"


async def test_a_failed_response_with_an_alias_code(sim, dial, create, receive):
    fail = Fail("Stale.", "codex_previous_response_stale", shape="response_failed", usage=True)
    sim.enqueue(Script(fail))
    async with dial() as socket:
        await socket.send(create())
        (event,) = await receive(socket)
    assert event["type"] == "response.failed"
    assert event["response"]["error"]["code"] == "codex_previous_response_stale"
    assert event["response"]["usage"]["output_tokens"] == 0


async def test_an_error_after_created_is_a_failed_response_by_default(sim, dial, create, receive):
    sim.enqueue(Script(Start(), Fail()), Script(Start(), Fail(shape="nested")))
    async with dial() as socket:
        for last in ("response.failed", "error"):
            await socket.send(create())
            assert (await receive(socket))[-1]["type"] == last


async def test_expiry_by_script(sim, dial, create):
    async with dial() as socket:
        await socket.send(create("sim:expired"))
        (event,), closed = await all_events(socket)
    assert event["error"]["code"] == "websocket_connection_limit_reached"
    assert closed is None


async def test_expiry_of_an_idle_connection(sim, dial):
    sim.settings.max_age_s = 0.0
    async with dial() as socket:
        (event,), closed = await all_events(socket)
    assert event["error"]["code"] == "websocket_connection_limit_reached"
    assert closed is None
    await sim.wait_for(lambda: sim.stats.open_connections == 0)


async def test_expiry_cuts_a_running_response(sim, dial, create, receive):
    sim.enqueue(Script(Start(), Gate("never")))
    async with dial() as socket:
        await socket.send(create())
        started = await receive(socket, "response.in_progress")
        sim.expire_all()
        ended, _ = await all_events(socket)
    events = [*started, *ended]
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "error"]
    assert (sim.requests[0].finished, sim.stats.expired) == ("broken", 1)


@pytest.mark.parametrize("size", [1000, 1001, 5000, 3_000_000])
async def test_a_message_of_the_limit_or_more_closes_1009(sim, dial, size):
    sim.settings.max_message_bytes = 1000
    async with dial() as socket:
        await socket.send("x" * size)
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


async def test_a_message_below_the_limit_passes(sim, dial, create, receive):
    sim.settings.max_message_bytes = 1000
    text = create("")
    async with dial() as socket:
        await socket.send(create("x" * (999 - len(text))))
        assert (await receive(socket))[-1]["type"] == "response.completed"
    assert sim.requests[0].size == sim.stats.bytes_received == 999


@pytest.mark.parametrize(("frame", "code"), [(b"binary", 1003), (None, 1007)])
async def test_frames_that_are_not_text(dial, frame, code):
    async with dial() as socket:
        if frame is None:
            await socket.send(b"\xff\xfe", text=True)
        else:
            await socket.send(frame)
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("{nonsense", "We could not parse the JSON body of your request. The API expects a JSON object."),
        ("[1]", "We could not parse the JSON body of your request. The API expects a JSON object."),
        ("[" * 100_000, "We could not parse the JSON body of your request. The API expects a JSON object."),
        ("{}", "Missing required parameter: 'type'."),
        (
            '{"type": "response.cancel"}',
            "Invalid value: 'response.cancel'. Supported values are: 'response.create' and 'response.steer'.",
        ),
        ('{"type": "response.steer"}', "Steering is not supported with this model."),
    ],
)
async def test_a_connection_survives_a_bad_envelope(dial, create, receive, *, frame, message):
    async with dial() as socket:
        await socket.send(frame)
        (event,) = await receive(socket)
        assert (event["status"], event["error"]["message"]) == (400, message)
        await socket.send(create())
        assert (await receive(socket))[-1]["type"] == "response.completed"


async def test_a_client_that_leaves_is_counted(sim, dial, create, receive):
    sim.enqueue(Script(Start(), Gate("never")))
    async with dial() as socket:
        await socket.send(create())
        await receive(socket, "response.in_progress")
        socket.transport.abort()
        await sim.wait_for(lambda: sim.stats.aborted == 1)
    await sim.wait_for(lambda: not sim.connections)
    assert sim.requests[0].finished == "aborted"


@pytest.mark.parametrize("code", [None, 1000, 1001, 1011])
async def test_drop_all_ends_all_connections(sim, dial, code):
    async with dial() as first, dial() as second:
        await sim.wait_for(lambda: len(sim.connections) == 2)
        sim.drop_all(code)
        for socket in (first, second):
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
            assert (caught.value.rcvd.code if caught.value.rcvd else None) == code
    await sim.wait_for(lambda: sim.stats.open_connections == 0)


async def test_a_long_answer_does_not_delay_others(sim, dial, create, receive):
    async with dial() as first, dial() as second:
        await first.send(create("sim:words(n=20000)"))
        await first.recv()
        await second.send(create())
        await receive(second)
        assert sim.requests[0].finished is None
        first.transport.abort()
    await sim.wait_for(lambda: sim.stats.aborted == 1)
