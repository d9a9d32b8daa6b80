"""A conversation that comes to another replica with its token goes on there."""

import asyncio
import base64

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator.scripts import Call, Gate, Incomplete, Reason, Say, Script, Start
from tests.integration.service.talk import LOOKUP, PATIENCE_S, Talk, context, tool_results
from tests.stack import request, user

KEYS = {"CONTINUATION_KEY": base64.b64encode(bytes(32)).decode()}
STORED = {"store": True}
BY_SSE = {"store": True, "transport": pb.TRANSPORT_SSE}


@pytest.fixture
async def replicas(start):
    """Two, before one upstream, with one key."""
    one = await start(KEYS)
    other = await start(KEYS | {"UPSTREAM_URL": one.simulator.url})
    return one, other


async def say(talk: Talk, at, *said, token="", **fields) -> pb.Done:
    talk.messages += [user(one) if isinstance(one, str) else one for one in said]
    done: pb.Done = await at.done(talk.request(continuation=token, **fields))
    talk.messages.append(done.message)
    return done


@pytest.mark.parametrize("there", [STORED, BY_SSE], ids=["to a websocket", "to sse"])
@pytest.mark.parametrize("here", [STORED, BY_SSE], ids=["from a websocket", "from sse"])
async def test_another_replica_continues(replicas, here, there):
    one, other = replicas
    talk = Talk(one, options=here)
    await say(talk, one, "Hello.")
    first = await say(talk, one, "And again.")
    talk.fields["options"] = there
    second = await say(talk, other, "And there?", token=first.continuation)
    assert context(second) == (True, "continued")
    assert (talk.received.previous_response_id, talk.received.new_items) == (first.report.response_id, 1)
    assert (talk.received.known_items, talk.received.repeated_items) == (4, 0)
    assert second.report.bytes_saved > 0
    third = await say(talk, other, "And now?")
    assert context(third) == (True, "continued")
    back = await say(talk, one, "And back?", token=third.continuation)
    assert context(back) == (True, "continued")
    assert (talk.received.new_items, talk.received.known_items, talk.received.repeated_items) == (1, 8, 0)


async def test_calls_and_thoughts_go_along(replicas):
    one, other = replicas
    talk = Talk(one, tools=[LOOKUP], options=STORED)
    one.simulator.enqueue(Script(Reason(("Hm.",)), Say("Look: ", "commentary"), Call("lookup", "{}")))
    first = await say(talk, one, "Go on.")
    assert context(await say(talk, other, tool_results(first.message), token=first.continuation)) == (
        True,
        "continued",
    )


async def test_a_caller_who_left_the_thoughts_out_continues_too(replicas):
    one, other = replicas
    talk = Talk(one, options=STORED)
    one.simulator.enqueue(Script(Reason(("Hm.",)), Say("Therefore.")))
    first = await say(talk, one, "Go on.")
    del talk.messages[-1].parts[0]
    assert context(await say(talk, other, "And?", token=first.continuation)) == (True, "continued")
    assert talk.received.new_items == 1


async def test_without_its_token_a_conversation_starts_in_full(replicas):
    one, other = replicas
    talk = Talk(one, options=STORED)
    await say(talk, one, "Hello.")
    assert context(await say(talk, other, "And there?")) == (False, "first_turn")


async def test_a_fork_has_a_token_too(replicas):
    one, other = replicas
    talk = Talk(one, options=STORED)
    one.simulator.enqueue(Script(Start(), Gate("go")))
    running = asyncio.ensure_future(one.done(request("Wait.")))
    await one.simulator.wait_for(lambda: one.simulator.stats.in_flight == 1, PATIENCE_S)
    fork = await say(talk, one, "Hello.")
    assert context(fork) == (False, "fork")
    one.simulator.open_gate("go")
    await running
    assert context(await say(talk, other, "And?", token=fork.continuation)) == (True, "continued")
    assert talk.received.previous_response_id == fork.report.response_id


async def test_complete_has_it_too(replicas):
    one, other = replicas
    talk = Talk(one, options=STORED)
    talk.messages.append(user("Hello."))
    answer = await one.completions.Complete(pb.CompleteRequest.FromString(talk.request().SerializeToString()))
    talk.messages += [answer.message, user("And there?")]
    wanted = pb.CompleteRequest.FromString(talk.request(continuation=answer.continuation).SerializeToString())
    again = await other.completions.Complete(wanted)
    assert context(again) == (True, "continued")


async def test_what_cannot_be_continued_has_none(replicas):
    one, _ = replicas
    assert not (await say(Talk(one, "a"), one, "Hello.")).continuation
    one.simulator.enqueue(Script(Say("Half an", closed=False), Incomplete()))
    assert not (await say(Talk(one, "b", options=STORED), one, "Hello.")).continuation


async def test_a_response_that_the_upstream_forgot_costs_one_full_request(replicas):
    one, other = replicas
    talk = Talk(one, options=STORED)
    first = await say(talk, one, "Hello.")
    one.simulator.settings.keep_responses = 1
    await say(Talk(one, "other", options=STORED), one, "Push it out.")
    lost = await say(talk, other, "And there?", token=first.continuation)
    assert (context(lost), lost.report.attempts) == ((False, "chain_lost"), 2)
