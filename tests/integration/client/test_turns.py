import asyncio

import grpc
import pytest

import trunkline
from tests.integration.client.scripted import (
    DRAINING,
    START,
    UNKNOWN,
    WAIT,
    Fail,
    asks,
    delta,
    done,
    failed,
    says,
)
from trunkline import ConnectionFailedError, Done, TimedOutError, TrunklineError, TurnCancelledError, user

Code = grpc.StatusCode
LOST = Fail(Code.ABORTED, "CONNECTION_LOST", sent="true")


async def test_a_streamed_conversation(face, service, conversation):
    service.scripts = [says("hello"), says("again")]
    events = await face.events(conversation.stream("hi", request_id="r1"))
    assert [event.kind for event in events] == ["start", "text_delta", "done"]
    assert events[-1].text == "hello"
    await face.result(conversation.stream("more", temperature=0))
    first, second = service.requests
    assert (first.session_id, first.model, first.request_id) == ("s1", "m", "r1")
    assert list(second.messages) == [user("hi"), trunkline.assistant("hello"), user("more")]
    assert second.options.HasField("temperature")
    assert conversation.messages[-1] == trunkline.assistant("again")


async def test_complete_is_the_same_turn(face, service, conversation):
    service.scripts = [says("hello")]
    answer = await face.call(conversation.complete, "hi")
    assert isinstance(answer, Done)
    assert answer.text == "hello"
    assert conversation.messages == [user("hi"), trunkline.assistant("hello")]


async def test_what_goes_along(face, service, client, conversation):
    service.scripts = [says("a"), says("b")]
    await face.result(conversation.stream("hi"))
    await face.call(client.complete, session_id="s2", model="m", messages=[user("hi")])
    for metadata, session_id in zip(service.metadata, ("s1", "s2"), strict=True):
        assert metadata["authorization"] == "Bearer t0ken"
        assert metadata["x-session-id"] == session_id
        assert metadata["user-agent"].startswith("trunkline-python/")


async def test_low_level_stream_keeps_nothing(face, service, client):
    service.scripts = [says("a")]
    turn = client.stream(session_id="s2", model="m", messages=[user("hi")], instructions="be kind")
    assert (await face.result(turn)).text == "a"
    assert service.requests[0].instructions == "be kind"


async def test_an_unknown_event_is_passed_over(face, service, conversation):
    service.scripts = [[START, UNKNOWN, delta("a"), done(trunkline.text("a"))]]
    assert len(await face.events(conversation.stream("hi"))) == 3


async def test_an_error_event_and_its_status_raise_once(face, service, conversation):
    service.scripts = [[START, delta("hal"), failed("CONNECTION_LOST"), LOST]]
    turn = conversation.stream("hi")
    with pytest.raises(ConnectionFailedError) as caught:
        await face.events(turn)
    error = caught.value
    assert (error.reason, error.message, error.status) == ("CONNECTION_LOST", "reported", Code.ABORTED)
    assert (error.sent, error.retryable, error.partial) == (True, True, trunkline.assistant("hal"))
    assert await face.events(turn) == []
    assert conversation.messages == []


@pytest.mark.parametrize("script", [[], [START], [START, delta("x")]], ids=["empty", "start", "content"])
async def test_an_ok_without_done_raises(face, service, conversation, script):
    service.scripts = [script]
    with pytest.raises(ConnectionFailedError) as caught:
        await face.events(conversation.stream("hi"))
    assert caught.value.reason == "PROTOCOL_ERROR"


async def test_a_failed_turn_can_be_made_again(face, service, conversation):
    service.scripts = [[START, failed("X"), LOST], [LOST], says("hello")]
    for make in (face.events, face.result):
        with pytest.raises(TrunklineError):
            await make(conversation.stream("hi"))
    await face.result(conversation.stream("hi"))
    assert conversation.messages == [user("hi"), trunkline.assistant("hello")]


async def test_nothing_sent_is_tried_again(face, service, conversation):
    service.scripts = [[DRAINING], [Fail(Code.UNAVAILABLE, "CONNECT_FAILED", retry_after=1.0)], says("hello")]
    assert (await face.result(conversation.stream("hi"))).text == "hello"
    assert face.delays == pytest.approx([0.1, 1.2])


async def test_complete_is_tried_again_too(face, service, conversation):
    service.scripts = [[DRAINING], says("hello")]
    assert (await face.call(conversation.complete, "hi")).text == "hello"
    assert face.delays == pytest.approx([0.1])


async def test_tries_come_to_an_end(face, service, conversation):
    service.scripts = [[DRAINING]] * 4
    with pytest.raises(ConnectionFailedError) as caught:
        await face.result(conversation.stream("hi"))
    assert (caught.value.reason, caught.value.sent, len(service.requests)) == ("SHUTTING_DOWN", False, 4)


@pytest.mark.parametrize(
    "fail", [Fail(Code.UNAVAILABLE), LOST, Fail(Code.RESOURCE_EXHAUSTED, "OVERLOADED", retry_after=0.1)]
)
@pytest.mark.parametrize("way", ["stream", "complete"])
async def test_everything_else_is_not(face, service, conversation, fail, way):
    service.scripts = [[fail]]
    ways = {
        "stream": lambda: face.result(conversation.stream("hi")),
        "complete": lambda: face.call(conversation.complete, "hi"),
    }
    with pytest.raises(TrunklineError) as caught:
        await ways[way]()
    assert (caught.value.status, face.delays) == (fail.code, [])
    assert conversation.messages == []


async def test_nobody_there_is_an_unknown_outcome(face):
    client = face.client("127.0.0.1:1")
    with pytest.raises(ConnectionFailedError) as caught:
        await face.call(client.get_session, "s1")
    await face.close(client)
    assert (caught.value.reason, caught.value.sent) == ("UNAVAILABLE", None)


async def test_the_deadline_reaches_the_service_and_ends_the_turn(face, service, conversation):
    service.scripts = [[START, delta("hal"), WAIT]]
    with pytest.raises(TimedOutError) as caught:
        await face.events(conversation.stream("hi", timeout=3))
    assert (caught.value.reason, caught.value.sent) == ("DEADLINE_EXCEEDED", None)
    assert caught.value.partial == trunkline.assistant("hal")
    assert 0 < service.deadlines[0] < 3.1
    await service.left.wait()


async def test_leaving_early_cancels_and_keeps_nothing(face, service, conversation):
    service.scripts = [[START, delta("a"), WAIT], says("b")]
    await face.leave_after(2, conversation.stream("hi"))
    await service.left.wait()
    assert conversation.messages == []
    await face.result(conversation.stream("hi"))


async def test_dropping_the_loop_cancels_too(face, service, conversation):
    service.scripts = [[START, delta("a"), WAIT], says("b")]
    await face.drop_after(2, lambda: conversation.stream("hi"))
    await service.left.wait()
    await face.result(conversation.stream("hi"))


async def test_cancel_ends_the_reader_with_an_error(face, service, conversation):
    service.scripts = [[START, delta("hal"), WAIT], says("b")]
    turn = conversation.stream("hi")
    heard = asyncio.Event()
    reading = asyncio.ensure_future(face.events(turn, heard))
    await heard.wait()
    turn.cancel()
    with pytest.raises(TurnCancelledError) as caught:
        await reading
    assert (caught.value.reason, caught.value.partial) == ("CANCELLED", trunkline.assistant("hal"))
    await service.left.wait()
    assert (await face.result(conversation.stream("hi"))).text == "b"


async def test_cancel_before_the_first_read(face, service, conversation):
    turn = conversation.stream("hi")
    turn.cancel()
    with pytest.raises(TrunklineError, match="CANCELLED"):
        await face.events(turn)
    assert await face.events(turn) == []
    assert service.requests == []


async def test_one_turn_at_a_time(face, service, conversation):
    service.scripts = [says("a")]
    turn = conversation.stream("hi")
    with pytest.raises(RuntimeError, match="still open"):
        conversation.stream("hi")
    await face.result(turn)


async def test_a_service_that_never_closes_after_done_is_left(face, service, conversation, monkeypatch):
    monkeypatch.setattr(f"trunkline.{face.package}.turn.SETTLE_S", 0.05)
    service.scripts = [[*says("hello"), WAIT]]
    assert (await face.result(conversation.stream("hi"))).text == "hello"
    await service.left.wait()


async def test_a_tool_call_is_only_reported(face, service, conversation):
    service.scripts = [asks(("c1", "f", "{}"))]
    answer = await face.result(conversation.stream("hi"))
    assert (answer.stop_reason, answer.tool_calls[0].name) == ("tool_use", "f")


async def test_a_client_can_be_used_again_after_closing(face, service, client, conversation):
    service.scripts = [says("a"), says("b")]
    await face.result(conversation.stream("hi"))
    await face.close(client)
    assert (await face.result(conversation.stream("hi"))).text == "b"


async def test_cancelling_the_task_cancels_the_turn(service):
    service.scripts = [[START, WAIT], [WAIT]]
    async with trunkline.AsyncClient(service.address) as client:
        conversation = client.conversation(model="m")
        for call in (lambda: conversation.stream("hi").result(), lambda: conversation.complete("hi")):
            service.waiting.clear()
            service.left.clear()
            task = asyncio.ensure_future(call())
            await service.waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await service.left.wait()
        assert conversation.messages == []


def test_the_blocking_client_is_a_context_manager():
    with trunkline.Client() as client:
        assert repr(client) == "<Client 127.0.0.1:50051>"


async def test_a_turn_has_a_key_and_a_sequence(face, service, client):
    last = done(trunkline.text("b"))
    last.sequence = 7
    service.scripts = [[last], says("b")]
    given = {"session_id": "s1", "model": "m", "messages": [user("hi")], "turn_key": "k", "linger": 5}
    turn = client.stream(**given, after_sequence=4, heartbeat=1)
    assert (turn.key, turn.sequence) == ("k", 4)
    await face.result(turn)
    assert turn.sequence == 7
    await face.call(client.complete, **given)
    assert [(one.turn_key, one.options.linger.seconds) for one in service.requests] == [("k", 5)] * 2
    assert (service.requests[0].after_sequence, service.requests[0].options.heartbeat.seconds) == (4, 1)
