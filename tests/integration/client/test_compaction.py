import asyncio

import grpc
import pytest

import trunkline
from tests.integration.client.scripted import COMPACTED, DRAINING, WAIT, Fail, done, says
from trunkline import TrunklineError, user

STANDS_FOR_THE_REST = user(COMPACTED)


async def test_a_conversation_goes_on_from_what_is_left(face, service, conversation):
    service.scripts = [says("b"), [], says("d")]
    conversation.options = {"store": True, "service_tier": "flex", "temperature": 0}
    await face.result(conversation.stream("a"))
    compaction = await face.call(conversation.compact, request_id="r")
    assert (compaction.response_id, compaction.usage.input_tokens) == ("resp_1", 7)
    assert conversation.messages == [STANDS_FOR_THE_REST, trunkline.assistant("b")]
    assert list(compaction.messages) == conversation.messages
    request = service.requests[1]
    assert list(request.messages) == [user("a"), trunkline.assistant("b")]
    assert (request.session_id, request.model, request.request_id) == ("s1", "m", "r")
    assert (request.store, request.service_tier, request.prompt_cache_key) == (True, "flex", "")
    await face.result(conversation.stream("c"))
    assert list(service.requests[2].messages)[:2] == conversation.messages[:2]


async def test_the_client_compacts_any_messages(face, service, client):
    service.scripts = [[DRAINING], []]
    compaction = await face.call(
        client.compact, "s2", model="m", messages=[user("a"), user("b")], instructions="i"
    )
    assert compaction.messages == (STANDS_FOR_THE_REST, user("b"))
    assert (compaction.provider, compaction.created_at) == ("p", None)
    assert (service.requests[1].instructions, service.requests[1].HasField("store")) == ("i", False)
    assert service.metadata[1]["x-session-id"] == "s2"


async def test_a_compaction_that_fails_changes_nothing(face, service, conversation):
    conversation.messages = [user("a")]
    service.scripts = [[Fail(grpc.StatusCode.INTERNAL, "UPSTREAM_ERROR", sent="true")], []]
    with pytest.raises(TrunklineError, match="UPSTREAM_ERROR"):
        await face.call(conversation.compact)
    assert conversation.messages == [user("a")]
    await face.call(conversation.compact)


async def test_no_compaction_beside_a_turn(face, service, conversation):
    turn = conversation.stream("hi")
    with pytest.raises(RuntimeError, match="still open"):
        await face.call(conversation.compact)
    turn.cancel()
    service.scripts = [[WAIT]]
    compacting = asyncio.ensure_future(face.call(conversation.compact, timeout=5))
    await service.waiting.wait()
    with pytest.raises(RuntimeError, match="still open"):
        conversation.stream("hi")
    await face.close(conversation.client)
    with pytest.raises((TrunklineError, asyncio.CancelledError)):
        await compacting


async def test_the_continuation_is_kept_and_sent(face, service, conversation):
    service.scripts = [[done(continuation="t1")], [done()], [done(continuation="t3")]]
    await face.result(conversation.stream("a"))
    await face.call(conversation.complete, "b")
    await face.result(conversation.run("c"))
    assert [request.continuation for request in service.requests] == ["", "t1", "t1"]
    assert conversation.continuation == "t3"


async def test_a_continuation_by_hand(face, service, client):
    service.scripts = [[done()], [done()], [done()]]
    await face.result(client.conversation("s1", model="m", continuation="t").stream("a"))
    given = {"session_id": "s1", "model": "m", "messages": [user("a")], "continuation": "t"}
    await face.result(client.stream(**given))
    await face.call(client.complete, **given)
    assert [request.continuation for request in service.requests] == ["t"] * 3
