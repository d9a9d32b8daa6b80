import grpc
import pytest

from tests.integration.client.scripted import DRAINING, Fail
from trunkline import RunningTurn, Tool, TrunklineError


async def test_session_calls(face, client, service):
    warm = await face.call(client.warm_session, "s1", model="m", tools=[Tool("f")], prime=True)
    assert (warm.session_id, warm.live) == ("s1", True)
    assert (service.requests[0].prime, service.requests[0].tools[0].name) == (True, "f")
    session = await face.call(client.get_session, "s1")
    assert (session.turns, session.running_turns) == (2, (RunningTurn("t1", "k1", None, True, False, 3),))
    assert await face.call(client.release_session, "s1") is None
    assert [metadata["x-session-id"] for metadata in service.metadata] == ["s1"] * 3


async def test_a_page_and_all_pages(face, client, service):
    page = await face.call(client.list_sessions, page_size=2)
    assert [session.session_id for session in page.sessions] == ["a", "b"]
    assert (page.next_page_token, page.replica, service.requests[0].page_size) == ("2", "blue", 2)
    assert [session.session_id for session in await face.items(client.sessions())] == ["a", "b", "c"]
    assert "x-session-id" not in service.metadata[0]


async def test_a_conversation_warms_and_releases_its_own(face, service, conversation):
    conversation.instructions = "be kind"
    assert (await face.call(conversation.warm)).session_id == "s1"
    request = service.requests[0]
    assert (request.model, request.instructions, request.prime) == ("m", "be kind", True)
    await face.call(conversation.release)
    assert service.requests[1].session_id == "s1"


async def test_an_unknown_session(face, client, service):
    service.scripts = [[Fail(grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")]]
    with pytest.raises(TrunklineError) as caught:
        await face.call(client.get_session, "nobody")
    assert (caught.value.reason, caught.value.sent, caught.value.retryable) == (
        "SESSION_NOT_FOUND",
        False,
        False,
    )


async def test_session_calls_are_tried_again(face, client, service):
    service.scripts = [[DRAINING], []]
    assert (await face.call(client.get_session, "s1")).session_id == "s1"
    assert face.delays == pytest.approx([0.1])


async def test_a_turn_is_stopped_by_its_id_or_its_key(face, client, service):
    await face.call(client.cancel_turn, "s1", turn_id="t1")
    await face.call(client.cancel_turn, "s1", turn_key="k1")
    requests = [service.stopped.get_nowait() for _ in range(2)]
    assert [(one.turn_id, one.turn_key, one.WhichOneof("turn")) for one in requests] == [
        ("t1", "", "turn_id"),
        ("", "k1", "turn_key"),
    ]
    with pytest.raises(TrunklineError, match="TURN_NOT_FOUND"):
        await face.call(client.cancel_turn, "s1", turn_key="nobody")
    for turn in ({}, {"turn_id": "t", "turn_key": "k"}):
        with pytest.raises(ValueError, match="either"):
            await face.call(client.cancel_turn, "s1", **turn)
