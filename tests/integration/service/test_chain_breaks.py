"""What breaks a chain, each by its name, and what does not. A break costs bytes, never words."""

from typing import Any

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from simulator.scripts import Call, Fail, Reason, Say, Script
from tests.integration.service.talk import LOOKUP, Talk, context, failed, tool_results
from tests.stack import user

BASE: dict[str, Any] = {
    "instructions": "Be brief.",
    "tools": [LOOKUP],
    "options": {"temperature": 1.0, "reasoning": {"effort": "low"}, "text": {"plain": {}}},
}
OTHER_TOOL = m.Tool(name="other")

BREAKS: dict[str, tuple[dict[str, Any], str]] = {
    "another model": ({"model": "simulated-2"}, "model_changed"),
    "stored": ({"store": True}, "store_changed"),
    "truncation": ({"truncation": "auto"}, "truncation_changed"),
    "context management": (
        {"extra_body_json": '{"context_management": [{"type": "compaction", "compact_threshold": 9000}]}'},
        "context_management_changed",
    ),
}
TRAVELS: dict[str, tuple[dict[str, Any], str]] = {
    "other instructions": ({"instructions": "Be long."}, "instructions_changed"),
    "no instructions": ({"instructions": ""}, "instructions_changed"),
    "one tool more": ({"tools": [LOOKUP, OTHER_TOOL]}, "tools_changed"),
    "no tools": ({"tools": []}, "tools_changed"),
    "another description": (
        {"tools": [m.Tool(name="lookup", description="?", parameters=LOOKUP.parameters)]},
        "tools_changed",
    ),
    "another effort": ({"reasoning": {"effort": "high"}}, "reasoning_changed"),
    "another text format": ({"text": {"json_object": {}}}, "text_format_changed"),
    "something extra": ({"extra_body_json": '{"max_tool_calls": 3}'}, "extra_body_changed"),
}
"""Settings that travel with each request: a chain depends on them only where the upstream or the operator
says so.
"""
REFUSAL = Fail("The settings must not change.", "invalid_value", 400, "invalid_request_error")

KEEPS = {
    "temperature": 0.0,
    "top_p": 0.5,
    "max_output_tokens": 4000,
    "tool_choice": {"mode": pb.TOOL_CHOICE_MODE_AUTO},
    "parallel_tool_calls": False,
    "metadata": {"task": "7"},
    "service_tier": "flex",
    "safety_identifier": "someone",
    "prompt_cache_key": "key",
}


def changed(change: dict[str, Any]) -> dict[str, Any]:
    """The fields of BASE with this change, be it to the request or to its options."""
    fields = {name: value for name, value in change.items() if name in ("model", "instructions", "tools")}
    options = {name: value for name, value in change.items() if name not in fields}
    return {**BASE, **fields, "options": {**BASE["options"], **options}}


@pytest.mark.parametrize("what", BREAKS)
async def test_what_the_chain_stands_on_has_changed(replica, what):
    change, reason = BREAKS[what]
    await check_break(Talk(replica, **BASE), change, reason)


@pytest.mark.parametrize("what", BREAKS | TRAVELS)
async def test_to_a_strict_basis_belongs_all_of_it(start, what):
    change, reason = (BREAKS | TRAVELS)[what]
    replica = await start({"CHAIN_BASIS": "strict"})
    await check_break(Talk(replica, **BASE), change, reason)


async def check_break(talk: Talk, change: dict[str, Any], reason: str) -> None:
    await talk.say("Hello.")
    talk.fields = changed(change)
    assert context(await talk.say("And again.")) == (False, reason)
    assert (talk.received.previous_response_id, talk.received.new_items) == (None, 3)
    # The change is the new ground, over the same line.
    assert context(await talk.say("And now?")) == (True, "continued")
    assert {received.connection_id for received in talk.replica.simulator.requests} == {"conn_1"}


@pytest.mark.parametrize("what", TRAVELS)
async def test_what_travels_with_each_request_is_sent_and_breaks_nothing(replica, what):
    change, _ = TRAVELS[what]
    talk = Talk(replica, **BASE)
    await talk.say("Hello.")
    talk.fields = changed(change)
    assert context(await talk.say("And again.")) == (True, "continued")
    incremental = talk.received.body
    assert (talk.received.new_items, talk.received.known_items) == (1, 2)
    talk.session = "fresh"
    await talk.say("In full.")
    ours = {"input", "previous_response_id", "prompt_cache_key"}
    assert {key: value for key, value in incremental.items() if key not in ours} == {
        key: value for key, value in talk.received.body.items() if key not in ours
    }


async def test_a_clock_in_the_instructions_breaks_nothing(replica):
    talk = Talk(replica)
    reports = []
    for turn in range(25):
        done = await talk.say(f"Turn {turn}.", instructions=f"It is 12:00:{turn:02}.")
        reports.append(context(done))
        assert talk.received.body["instructions"] == f"It is 12:00:{turn:02}."
        assert talk.received.repeated_items == 0
    assert reports == [(False, "first_turn"), *[(True, "continued")] * 24]


async def test_a_change_that_the_upstream_refuses_is_learned(replica):
    talk = Talk(replica, **BASE)
    await talk.say("Hello.")
    replica.simulator.enqueue(Script(REFUSAL))
    done = await talk.say("And again.", instructions="Be long.")
    assert (context(done), done.report.attempts) == ((False, "chain_lost"), 2)
    assert context(await talk.say("Unchanged.", instructions="Be long.")) == (True, "continued")
    done = await talk.say("Changed back.")
    assert (context(done), done.report.attempts) == ((False, "instructions_changed"), 1)
    assert context(await talk.say("Another effort.", options={"reasoning": {"effort": "high"}})) == (
        True,
        "continued",
    )
    other = Talk(replica, "another", **BASE)
    await other.say("Hello.")
    assert context(await other.say("Changed.", instructions="")) == (False, "instructions_changed")


async def test_a_response_that_is_not_found_teaches_nothing_of_settings(replica):
    talk = Talk(replica, **BASE)
    await talk.say("Hello.")
    not_found = Fail("Gone.", "previous_response_not_found", 400, "invalid_request_error")
    replica.simulator.enqueue(Script(not_found))
    assert context(await talk.say("And again.", instructions="Be long.")) == (False, "chain_lost")
    assert context(await talk.say("Changed back.")) == (True, "continued")


async def test_a_request_that_fails_both_ways_teaches_nothing(replica):
    talk = Talk(replica, **BASE)
    await talk.say("Hello.")
    replica.simulator.enqueue(Script(REFUSAL), Script(REFUSAL))
    talk.messages.append(user("And again."))
    assert (await failed(replica.turn(talk.request(instructions="Be long.")))).reason == "INVALID_REQUEST"
    await talk.say()
    assert context(await talk.say("Changed.", instructions="Be long.")) == (True, "continued")


@pytest.mark.parametrize("option", KEEPS)
async def test_what_is_sent_again_each_turn_breaks_nothing(replica, option):
    talk = Talk(replica, **BASE)
    await talk.say("Hello.")
    talk.fields = changed({option: KEEPS[option]})
    assert context(await talk.say("And again.")) == (True, "continued")
    assert option in talk.received.body


async def test_a_tool_written_otherwise_is_the_same_tool(replica):
    talk = Talk(replica, tools=[LOOKUP])
    await talk.say("Hello.")
    parameters = '{ "required": ["query"], "properties": {"query": {"type": "string"}}, "type": "object" }'
    talk.fields["tools"] = [m.Tool(name="lookup", description=LOOKUP.description, parameters=parameters)]
    assert context(await talk.say("And again.")) == (True, "continued")


async def test_an_edited_question_is_asked_again_in_full(talk):
    await talk.say("Hello.")
    talk.messages[0] = user("Good morning.")
    assert context(await talk.say("And again.")) == (False, "history_edited")
    assert talk.received.body["input"][0]["content"] == [{"type": "input_text", "text": "Good morning."}]


async def test_an_edited_answer_is_sent_in_full(talk):
    await talk.say("Hello.")
    talk.messages[1].parts[0].text.text += " Edited."
    assert context(await talk.say("And again.")) == (False, "history_edited")


async def test_a_removed_message_is_an_edit(talk):
    for text in ("One.", "Two.", "Three."):
        await talk.say(text)
    del talk.messages[2:4]
    assert context(await talk.say("Four.")) == (False, "history_edited")
    assert talk.received.new_items == 5


async def test_a_message_put_in_between_is_an_edit(talk):
    await talk.say("One.")
    talk.messages.insert(1, user("By the way."))
    assert context(await talk.say("Two.")) == (False, "history_edited")


async def test_going_back_to_an_earlier_turn_is_an_edit(talk):
    await talk.say("One.")
    await talk.say("Two.")
    del talk.messages[2:]
    assert context(await talk.say("Two, otherwise.")) == (False, "history_edited")
    assert context(await talk.say("Three.")) == (True, "continued")


async def test_a_question_asked_again_unanswered_is_an_edit(talk):
    """The model holds its answer already; a caller who threw it away wants another."""
    await talk.say("Hello.")
    del talk.messages[1]
    assert context(await talk.say()) == (False, "history_edited")


async def test_an_empty_suffix_is_sent_in_full(talk):
    await talk.say("Hello.")
    assert context(await talk.say()) == (False, "empty_suffix")


async def test_changed_reasoning_is_an_edit(talk):
    talk.replica.simulator.enqueue(Script(Reason(("Hm.",)), Say("Therefore.")))
    await talk.say("Go on.")
    talk.messages[1].parts[0].reasoning.encrypted_content += "x"
    done = await talk.say("And then?", options={"transport": pb.TRANSPORT_WEBSOCKET})
    assert context(done) == (False, "history_edited")


async def test_arguments_that_were_parsed_and_written_again_are_no_edit(replica):
    talk = Talk(replica, tools=[LOOKUP])
    replica.simulator.enqueue(Script(Call("lookup", '{"b": 1, "a": {"d": 2, "c": 3}}')))
    first = await talk.say("Go on.")
    talk.messages[-1].parts[0].tool_call.arguments = '{"a":{"c":3,"d":2},"b":1}'
    assert context(await talk.say(tool_results(first.message))) == (True, "continued")


async def test_other_arguments_are_an_edit(replica):
    talk = Talk(replica, tools=[LOOKUP])
    replica.simulator.enqueue(Script(Call("lookup", '{"query": "a"}')))
    first = await talk.say("Go on.")
    talk.messages[-1].parts[0].tool_call.arguments = '{"query": "b"}'
    assert context(await talk.say(tool_results(first.message))) == (False, "history_edited")
