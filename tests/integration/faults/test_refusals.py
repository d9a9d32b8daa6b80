"""Refusals that say what to leave out: the id of a response, or reasoning. Each is sent again once."""

import pytest

from simulator import Received
from simulator.scripts import Call, Fail, Script
from tests.integration.faults.endings import ended_call
from tests.integration.service.talk import LOOKUP, SSE, WEBSOCKET, Talk, context, tool_results
from tests.stack import user

ALONE = "Item 'rs_1' of type 'reasoning' was provided without its required following item."


def refused(words: str, status: int = 400) -> Script:
    return Script(Fail(words, None, status, "invalid_request_error", "input"))


def kinds(received: Received) -> list[str]:
    """The types of the items that a request held."""
    return [item["type"] for item in received.body["input"]]


@pytest.mark.parametrize("words", [ALONE, "Item with id 'rs_1' not found."])
@pytest.mark.parametrize("options", [{}, WEBSOCKET, SSE], ids=["auto", "forced", "sse"])
async def test_reasoning_that_is_refused_in_words_is_left_out_once(replica, words, options):
    talk = Talk(replica, options=options)
    await talk.say("sim:reason")
    talk.messages[-2:-2] = [user("This was said first.")]  # an edit, so that all is sent
    replica.simulator.enqueue(refused(words))
    done = await talk.say("And again.")
    asked, again = (kinds(one) for one in replica.simulator.requests[-2:])
    assert again == [kind for kind in asked if kind != "reasoning"] != asked
    assert done.report.attempts == 2
    replica.simulator.enqueue(*[refused(words)] * 2)
    talk.messages[0:0] = [user("And this even earlier.")]
    talk.messages.append(user("Once more."))
    assert (await ended_call(replica, talk.request())).info.reason == "INVALID_REQUEST"


async def test_after_reasoning_was_refused_the_conversation_goes_on_by_its_id(replica):
    """The caller still sends the reasoning with each turn: that is no edit."""
    talk = Talk(replica)
    await talk.say("sim:reason")
    replica.simulator.enqueue(refused("no match"), refused(ALONE))
    done = await talk.say("And again.")
    by_id, full, rest = replica.simulator.requests[-3:]
    assert (by_id.previous_response_id is None, full.previous_response_id) == (False, None)
    assert ["reasoning" in kinds(one) for one in (by_id, full, rest)] == [False, True, False]
    assert (context(done)[0], done.report.attempts) == (False, 3)
    assert context(await talk.say("And once more.")) == (True, "continued")


@pytest.mark.parametrize("options", [{}, WEBSOCKET], ids=["auto", "forced"])
async def test_a_tool_result_whose_call_was_forgotten_is_sent_in_full(replica, options):
    """The upstream took the id and kept nothing: only the words of a 400 say so."""
    talk = Talk(replica, tools=[LOOKUP], options=options)
    replica.simulator.enqueue(Script(Call("lookup", '{"query": "it"}')))
    call = await talk.say("Look it up.")
    replica.simulator.enqueue(refused("No tool call found for function call output with call_id call_1."))
    done = await talk.say(tool_results(call.message))
    asked, again = replica.simulator.requests[-2:]
    assert (asked.connection_id, kinds(asked)) == (again.connection_id, ["function_call_output"])
    assert kinds(again) == ["message", "function_call", "function_call_output"]
    assert (context(done), done.report.attempts) == ((False, "chain_lost"), 2)
    assert context(await talk.say("And now?")) == (True, "continued")


async def test_an_upstream_that_forgets_each_response_is_not_asked_by_id(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    for _ in range(3):
        replica.simulator.enqueue(refused("no match"))
        assert context(await talk.say("And again.")) == (False, "chain_lost")
    assert context(await talk.say("And again.")) == (False, "chaining_unsupported")


async def test_a_request_that_is_refused_with_and_without_its_id_is_at_fault(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(*[refused("Bad.")] * 2)
    found = await ended_call(replica, talk.request(model="simulated-1"))
    assert (found.routes, found.info.reason) == (
        "ws",
        "INVALID_REQUEST",
    )  # another model: nothing to continue
    replica.simulator._upstream.queued.clear()
    await talk.say("Hello again.")
    replica.simulator.enqueue(*[refused("Bad.")] * 2)
    talk.messages.append(user("And again."))
    found = await ended_call(replica, talk.request())
    assert (found.routes, found.info.reason) == ("ws ws", "INVALID_REQUEST")
