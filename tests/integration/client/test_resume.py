import asyncio
from itertools import count

import grpc
import pytest

import trunkline
from tests.integration.client.scripted import (
    BROKEN,
    DRAINING,
    START,
    WAIT,
    Fail,
    asks,
    delta,
    done,
    failed,
    numbered,
    says,
)
from trunkline import TrunklineError, user
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.retry import RESUMES

Code = grpc.StatusCode
EVENTS = numbered(START, delta("a"), delta("b"), delta("c"), done(trunkline.text("abc")))
KINDS = ["start", "text_delta", "text_delta", "text_delta", "done"]
HEARTBEAT = pb.StreamCompletionResponse(heartbeat=pb.Heartbeat())
ANOTHER = pb.StreamCompletionResponse(start=pb.Start(turn_id="t2"))


@pytest.fixture
def conversation(client):
    return client.conversation("s1", model="m", resume=True)


@pytest.mark.parametrize("heard", range(len(EVENTS)))
async def test_a_broken_connection_is_not_seen(face, service, conversation, heard):
    service.scripts = [[*EVENTS[:heard], BROKEN], EVENTS[heard:]]
    turn = conversation.stream("hi")
    events = await face.events(turn)
    assert [event.kind for event in events] == KINDS
    assert "".join(event.delta for event in events[1:4]) == turn.done.text == "abc"
    first, second = service.requests
    assert (first.after_sequence, second.after_sequence, turn.sequence) == (0, heard, 5)
    assert first.turn_key == second.turn_key == turn.key != ""
    assert (first.options.linger.seconds, face.delays) == (60, pytest.approx([0.1]))
    assert conversation.messages == [user("hi"), trunkline.assistant("abc")]
    assert service.stopped.empty()


@pytest.mark.parametrize("code", [Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED, None], ids=str)
async def test_whatever_breaks_it(face, service, conversation, code):
    broken = [Fail(code)] if code else []
    service.scripts = [[*EVENTS[:2], *broken], EVENTS[2:]]
    assert [event.kind for event in await face.events(conversation.stream("hi"))] == KINDS


async def test_events_that_come_again_are_dropped(face, service, conversation):
    service.scripts = [[*EVENTS[:3], BROKEN], [HEARTBEAT, *EVENTS[1:4], HEARTBEAT, EVENTS[1], EVENTS[4]]]
    assert [event.kind for event in await face.events(conversation.stream("hi"))] == KINDS


async def test_a_break_after_done_changes_nothing(face, service, conversation):
    service.scripts = [[*EVENTS, BROKEN]]
    assert (await face.result(conversation.stream("hi"))).text == "abc"
    assert len(service.requests) == 1


async def test_breaks_in_a_row_are_waited_for_longer(face, service, conversation):
    service.scripts = [[BROKEN], [EVENTS[0], BROKEN], [BROKEN], [DRAINING], EVENTS[1:]]
    await face.result(conversation.stream("hi"))
    assert face.delays == pytest.approx([0.1, 0.1, 0.2, 0.4])


async def test_it_comes_to_an_end(face, service, conversation):
    service.scripts = [[*EVENTS[:2], BROKEN], *[[BROKEN]] * RESUMES]
    with pytest.raises(TrunklineError) as caught:
        await face.result(conversation.stream("hi"))
    error = caught.value
    assert (error.reason, error.sent, error.lost) == ("UNAVAILABLE", None, True)
    assert len(service.requests) == 1 + RESUMES
    assert error.partial == trunkline.assistant("a")
    assert conversation.messages == []


async def test_a_turn_that_began_again_is_stopped_and_raised(face, service, conversation):
    service.scripts = [[*EVENTS[:2], BROKEN], [HEARTBEAT, *numbered(ANOTHER, delta("x")), WAIT]]
    with pytest.raises(TrunklineError, match="lost with its connection") as caught:
        await face.events(conversation.stream("hi"))
    assert (caught.value.reason, caught.value.sent) == ("UNAVAILABLE", None)
    assert caught.value.partial == trunkline.assistant("a")
    assert (await service.stopped.get()).turn_id == "t2"
    await service.left.wait()
    assert service.stopped.empty()


async def test_a_gap_is_raised(face, service, conversation):
    service.scripts = [[EVENTS[0], BROKEN], [EVENTS[2], WAIT]]
    turn = conversation.stream("hi")
    with pytest.raises(TrunklineError, match="event 3 came where event 2 was due"):
        await face.events(turn)
    assert (await service.stopped.get()).turn_key == turn.key


@pytest.mark.parametrize(
    "last",
    [
        [Fail(Code.ABORTED, "TAKEN_OVER", sent="true")],
        [failed("UPSTREAM_ERROR"), Fail(Code.INTERNAL, "UPSTREAM_ERROR", sent="true")],
        [failed("UPSTREAM_ERROR"), BROKEN],
        [Fail(Code.INVALID_ARGUMENT, "INVALID_REQUEST")],
    ],
    ids=["taken over", "error", "error without its status", "refused"],
)
async def test_what_the_service_says_is_final(face, service, conversation, last):
    *event, status = last
    service.scripts = [[*EVENTS[:2], BROKEN], [*numbered(*event, after=2), status]]
    with pytest.raises(TrunklineError) as caught:
        await face.events(conversation.stream("hi"))
    assert caught.value.reported
    assert caught.value.sent is not False
    assert (len(service.requests), service.stopped.empty()) == (2, True)


async def test_the_deadline_spans_the_calls_and_stops_the_turn(face, service, conversation):
    service.scripts = [[EVENTS[0], BROKEN], [EVENTS[1], WAIT]]
    conversation.client._clock = count(0.0, 2.4).__next__
    turn = conversation.stream("hi", timeout=9.6)
    with pytest.raises(TrunklineError, match="DEADLINE_EXCEEDED"):
        await face.events(turn)
    assert 0 < service.deadlines[1] < 3.6 < service.deadlines[0]
    assert (await service.stopped.get()).turn_key == turn.key


async def test_cancel_stops_the_turn(face, service, conversation):
    service.scripts = [[*EVENTS[:2], WAIT]]
    turn = conversation.stream("hi")
    heard = asyncio.Event()
    reading = asyncio.ensure_future(face.events(turn, heard))
    await heard.wait()
    turn.cancel()
    with pytest.raises(TrunklineError, match="CANCELLED"):
        await reading
    stopped = await service.stopped.get()
    assert (stopped.session_id, stopped.turn_key) == ("s1", turn.key)
    assert len(service.requests) == 1


async def test_leaving_stops_the_turn(face, service, conversation):
    service.scripts = [[*EVENTS[:2], WAIT]] * 2
    await face.leave_after(2, conversation.stream("hi"))
    await service.stopped.get()
    await face.drop_after(2, lambda: conversation.stream("hi"))
    await service.stopped.get()


async def test_a_client_that_closes_stops_its_turns(face, service, conversation):
    service.scripts = [[*EVENTS[:2], WAIT]]
    turn = conversation.stream("hi")
    heard = asyncio.Event()
    reading = asyncio.ensure_future(face.events(turn, heard))
    await heard.wait()
    await face.close(conversation.client)
    assert service.stopped.get_nowait().turn_key == turn.key
    with pytest.raises(TrunklineError, match="CANCELLED"):
        await reading


async def test_cancel_before_the_first_read_stops_nothing(face, service, conversation):
    conversation.stream("hi").cancel()
    await face.close(conversation.client)
    assert service.stopped.empty()


async def test_a_run_resumes_any_of_its_turns(face, service, client):
    conversation = client.conversation("s1", model="m")
    rest = numbered(*says("4"))
    service.scripts = [numbered(*asks(("c1", "double", '{"x": 2}'))), [rest[0], BROKEN], rest[1:]]
    made = []

    def double(x: int) -> int:
        made.append(x)
        return 2 * x

    assert (await face.result(conversation.run("go", tools=[double], resume=True, linger=5))).text == "4"
    keys = [request.turn_key for request in service.requests]
    assert (made, len(set(keys)), keys[1] == keys[2]) == ([2], 2, True)
    assert [request.options.linger.seconds for request in service.requests] == [5, 5, 5]


async def test_complete_asks_again_with_the_same_key(face, service, conversation):
    service.scripts = [[BROKEN], [BROKEN], says("hello")]
    assert (await face.call(conversation.complete, "hi")).text == "hello"
    assert len({request.turn_key for request in service.requests}) == 1
    assert face.delays == pytest.approx([0.1, 0.2])


async def test_what_may_have_been_sent_is_never_called_unsent(face, service, client):
    service.scripts = [[BROKEN], *[[DRAINING]] * 3]
    given = {"session_id": "s1", "model": "m", "messages": [user("hi")]}
    with pytest.raises(TrunklineError) as caught:
        await face.call(client.complete, **given, resume=True)
    assert (caught.value.reason, caught.value.sent) == ("SHUTTING_DOWN", None)


async def test_a_complete_that_runs_out_of_time_stops_the_turn(face, service, conversation):
    service.scripts = [[WAIT]]
    with pytest.raises(TrunklineError, match="DEADLINE_EXCEEDED"):
        await face.call(conversation.complete, "hi", timeout=3)
    assert (await service.stopped.get()).turn_key == service.requests[0].turn_key


async def test_a_turn_key_by_hand(face, service, client):
    service.scripts = [[*EVENTS[:2], BROKEN], [HEARTBEAT, *EVENTS[2:]], says("b")]
    given = {"session_id": "s1", "model": "m", "messages": [user("hi")], "turn_key": "k", "linger": 5}
    turn = client.stream(**given)
    with pytest.raises(TrunklineError, match="UNAVAILABLE"):
        await face.events(turn)
    assert (turn.key, turn.sequence) == ("k", 2)
    events = await face.events(client.stream(**given, after_sequence=turn.sequence, heartbeat=1))
    assert [event.kind for event in events] == KINDS[2:]
    assert (service.requests[1].after_sequence, service.requests[1].options.heartbeat.seconds) == (2, 1)
    await face.call(client.complete, **given)
    assert service.requests[2].turn_key == "k"
    assert service.stopped.empty()


async def test_a_turn_may_be_resumed_from_another_process(face, service, client):
    given = {"session_id": "s1", "model": "m", "messages": [user("hi")], "turn_key": "k", "resume": True}
    service.scripts = [[EVENTS[2], BROKEN], EVENTS[3:], [EVENTS[0], WAIT]]
    events = await face.events(client.stream(**given, after_sequence=2))
    assert [event.kind for event in events] == KINDS[2:]
    with pytest.raises(TrunklineError, match="lost with its connection"):
        await face.events(client.stream(**given, after_sequence=2))


@pytest.fixture
async def waiting(service):
    """A client that never makes a second try, and the event that it waits for one."""
    begun = asyncio.Event()

    async def forever(_delay: float) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with trunkline.AsyncClient(service.address) as client:
        client._sleep = forever
        yield client, begun


async def test_cancel_while_it_waits_for_the_next_try(service, waiting):
    client, begun = waiting
    service.scripts = [[EVENTS[0], BROKEN]]
    turn = client.conversation(model="m", resume=True).stream("hi")
    reading = asyncio.ensure_future(turn.result())
    await begun.wait()
    turn.cancel()
    with pytest.raises(TrunklineError, match="CANCELLED"):
        await reading
    assert (await service.stopped.get()).turn_key == turn.key


async def test_cancelling_the_task_stops_the_turn_wherever_it_waits(service, waiting):
    client, waits = waiting
    service.scripts = [[EVENTS[0], BROKEN], [EVENTS[0], WAIT], [WAIT]]
    conversation = client.conversation(model="m", resume=True)
    for make, begun in (
        (conversation.stream("hi").result, waits),
        (lambda: conversation.stream("hi").result(), service.waiting),
        (lambda: conversation.complete("hi"), service.waiting),
    ):
        service.waiting.clear()
        reading = asyncio.ensure_future(make())
        await begun.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await service.stopped.get()
    assert conversation.messages == []
