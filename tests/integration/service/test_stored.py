"""Stored responses are continued over new lines, by SSE and after failures, and are nobody else's."""

import asyncio

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1.session_pb2 import ReleaseSessionRequest
from simulator.scripts import Drop, Fail, Gate, Incomplete, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, Talk, context, failed_stream, route
from tests.stack import user

STORED = {"store": True}
BY_SSE = {"store": True, "transport": pb.TRANSPORT_SSE}


@pytest.fixture
def stored(replica) -> Talk:
    return Talk(replica, options=STORED)


def seen(talk: Talk) -> tuple[str | None, int, int, int]:
    """What the upstream saw of the latest request: the id, and its new, known and repeated items."""
    received = talk.received
    return (
        received.previous_response_id,
        received.new_items,
        received.known_items,
        received.repeated_items,
    )


@pytest.mark.parametrize("code", [None, 1000])
async def test_a_new_line_continues(stored, code):
    first = await stored.say("Hello.")
    simulator = stored.replica.simulator
    simulator.drop_all(code)
    await simulator.wait_for(lambda: simulator.stats.open_connections == 0, PATIENCE_S)
    second = await stored.say("And again.")
    assert (context(second), second.report.connection_reused) == ((True, "continued"), False)
    assert seen(stored) == (first.report.response_id, 1, 2, 0)


async def test_a_line_lost_in_the_turn_is_replaced_and_continues(stored):
    first = await stored.say("Hello.")
    stored.replica.simulator.enqueue(Script(Drop()))
    second = await stored.say("And again.")
    assert (context(second), second.report.attempts) == ((True, "continued"), 2)
    assert seen(stored) == (first.report.response_id, 1, 2, 0)


async def test_sse_continues_and_is_continued(stored):
    first = await stored.say("One.", options=BY_SSE)
    assert context(first) == (False, "sse")
    second = await stored.say("Two.", options=BY_SSE)
    assert (context(second), route(second)[0]) == ((True, "continued"), "SSE")
    assert seen(stored) == (first.report.response_id, 1, 2, 0)
    third = await stored.say("Three.")
    assert (context(third), route(third)[0]) == ((True, "continued"), "WEBSOCKET")
    assert seen(stored) == (second.report.response_id, 1, 4, 0)
    fourth = await stored.say("Four.", options=BY_SSE)
    assert seen(stored) == (third.report.response_id, 1, 6, 0)
    assert fourth.report.bytes_saved > 0


async def test_a_turn_that_failed_loses_nothing(stored):
    first = await stored.say("Hello.")
    stored.replica.simulator.enqueue(Script(Say("Half", closed=False), Drop()))
    stored.messages.append(user("And again."))
    _, failure = await failed_stream(stored.replica, stored.request())
    assert failure.reason == "CONNECTION_LOST"
    assert context(await stored.say()) == (True, "continued")
    assert seen(stored) == (first.report.response_id, 1, 2, 0)


async def test_a_turn_that_was_cancelled_loses_nothing(stored):
    first = await stored.say("Hello.")
    stored.replica.simulator.enqueue(Script(Start(), Gate("never")))
    stored.messages.append(user("And again."))
    call = stored.replica.completions.StreamCompletion(stored.request())
    await call.read()
    call.cancel()
    await stored.replica.manager._running.finished(PATIENCE_S)
    assert context(await stored.say()) == (True, "continued")
    assert seen(stored) == (first.report.response_id, 1, 2, 0)


async def test_an_incomplete_answer_goes_with_the_next_request(stored):
    first = await stored.say("Hello.")
    stored.replica.simulator.enqueue(Script(Say("Half an", closed=False), Incomplete()))
    await stored.say("Go on.")
    assert context(await stored.say("And then?")) == (True, "continued")
    assert seen(stored) == (first.report.response_id, 3, 2, 0)


@pytest.mark.parametrize("options", [STORED, BY_SSE], ids=["websocket", "sse"])
async def test_a_response_that_was_forgotten_costs_one_full_request(stored, options):
    await stored.say("Hello.", options=BY_SSE)
    stored.replica.simulator.settings.keep_responses = 1
    await Talk(stored.replica, "other", options=BY_SSE).say("Push it out.")
    again = await stored.say("And again.", options=options)
    assert (context(again), again.report.attempts) == ((False, "chain_lost"), 2)
    assert seen(stored) == (None, 3, 0, 0)
    assert context(await stored.say("And now?", options=options)) == (True, "continued")


async def test_refused_by_http_the_turn_goes_again_in_full(stored):
    await stored.say("Hello.", options=BY_SSE)
    stored.replica.simulator.enqueue(
        Script(Fail("Bad request.", "invalid_value", 400, "invalid_request_error"))
    )
    again = await stored.say("And again.", options=BY_SSE)
    assert (context(again), again.report.attempts) == ((False, "chain_lost"), 2)


async def test_a_released_session_knows_nothing(stored):
    await stored.say("Hello.")
    await stored.replica.sessions.ReleaseSession(ReleaseSessionRequest(session_id="s1"))
    assert context(await stored.say("And again.")) == (False, "first_turn")


async def test_another_session_knows_nothing(stored):
    await stored.say("Hello.")
    other = Talk(stored.replica, "other", options=STORED)
    other.messages = list(stored.messages)
    assert context(await other.say("And again.")) == (False, "first_turn")


async def test_a_fork_leaves_the_stored_chain_as_it_was(stored):
    first = await stored.say("Hello.")
    simulator = stored.replica.simulator
    simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    stored.messages.append(user("Wait."))
    held = asyncio.ensure_future(stored.replica.done(stored.request()))
    await simulator.wait_for(lambda: simulator.stats.in_flight == 1, PATIENCE_S)
    assert context(await stored.replica.done(stored.request())) == (False, "fork")
    simulator.open_gate("go")
    stored.messages.append((await held).message)
    assert context(await stored.say("And then?")) == (True, "continued")
    assert stored.received.previous_response_id not in (None, first.report.response_id)
    assert stored.received.repeated_items == 0


async def test_a_warm_up_of_the_new_line_leaves_it_as_it_was(stored):
    first = await stored.say("Hello.")
    stored.replica.simulator.drop_all()
    second = await stored.say("And again.", options={"store": True, "warm_up": True})
    assert context(second) == (True, "continued")
    assert seen(stored) == (first.report.response_id, 1, 2, 0)
    assert not stored.replica.simulator.requests[-2].generate


async def test_another_key_continues_nothing(start):
    replica = await start({"CALLER_KEYS": "1"})
    talk = Talk(replica, options=BY_SSE)
    await talk.say("Hello.")
    talk.messages.append(user("And again."))
    done = await replica.done(talk.request(), metadata=(("x-upstream-key", "sk-2"),))
    assert (done.report.context, talk.received.previous_response_id) == (pb.CONTEXT_FULL, None)


async def test_what_was_stored_is_not_continued_without_store(stored):
    await stored.say("Hello.")
    assert context(await stored.say("And again.", options={})) == (False, "store_changed")
    assert context(await stored.say("Once more.", options={})) == (True, "continued")
