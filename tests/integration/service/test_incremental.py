"""Only what the model has not seen goes upstream: seen from the caller's side and from the model's."""

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from simulator import Settings
from simulator.scripts import Call, Incomplete, Reason, Refuse, Say, Script
from tests.integration.service.talk import LOOKUP, SSE, Talk, context, tool_results
from tests.stack import user

ANSWERS = {
    "text": Script(Say("Plain text.")),
    "parts": Script(Say("One part.", more=("And one more.", "And a third."))),
    "phases": Script(Say("Thinking aloud.", "commentary"), Say("The answer.", "final_answer")),
    "messages": Script(Say("First message."), Say("Second message.")),
    "reasoning": Script(Reason(("A summary.", "Of two paragraphs.")), Say("Therefore.")),
    "reasoning in full": Script(Reason((), "The full text of the thought."), Say("Therefore.")),
    "reasoning sealed": Script(Reason(), Say("Nothing of the thought is shown.")),
    "refusal": Script(Refuse("No.")),
    "call": Script(Call("lookup", '{"query": "a"}')),
    "parallel calls": Script(
        Say("Both at once."), Call("lookup", '{"b": 1, "a": 2}'), Call("lookup", '{ "spaced" : 1.50 }')
    ),
    "reasoning between calls": Script(
        Reason(("Hm.",)), Call("lookup", "{}"), Reason(("Hm again.",)), Call("lookup", "{}")
    ),
    "arguments that are no JSON": Script(Call("lookup", '{"query": unquoted,}')),
    "no arguments": Script(Call("lookup", "")),
    "odd characters": Script(
        Say('Naïve — 你好 \U0001f9d1\u200d\U0001f680 \u2028 \x85 \ufeff "quoted" \\ \t\n end.')
    ),
    "empty text": Script(Say("")),
    "nothing": Script(),
}

BIG = Settings(keep_request_bytes=1 << 30, max_message_bytes=1 << 30)


async def test_a_follow_up_sends_what_is_new_and_nothing_else(talk):
    first = await talk.say("Hello.")
    assert context(first) == (False, "first_turn")
    assert talk.received.previous_response_id is None

    second = await talk.say("And again.")
    assert context(second) == (True, "continued")
    assert second.report.connection_reused
    assert talk.received.previous_response_id == first.report.response_id
    assert (talk.received.new_items, talk.received.known_items, talk.received.repeated_items) == (1, 2, 0)
    assert talk.text.startswith("I received 1 new item (user message) over websocket, continuing")


async def test_a_conversation_stays_on_one_line(talk):
    for text in ("One.", "Two.", "Three.", "Four."):
        await talk.say(text)
    assert {received.connection_id for received in talk.replica.simulator.requests} == {"conn_1"}
    assert [received.known_items for received in talk.replica.simulator.requests] == [0, 2, 4, 6]


async def test_several_new_messages_go_together(talk):
    await talk.say("Hello.")
    developer = m.Message(role=m.ROLE_DEVELOPER, parts=[m.Part(text=m.TextPart(text="Be brief."))])
    done = await talk.say("One.", developer, "Two.")
    assert context(done) == (True, "continued")
    assert (talk.received.new_items, talk.received.repeated_items) == (3, 0)


async def test_instructions_and_tools_go_with_every_request(replica):
    talk = Talk(replica, instructions="Be brief.", tools=[LOOKUP])
    await talk.say("Hello.")
    await talk.say("And again.")
    assert talk.received.previous_response_id
    assert talk.received.body["instructions"] == "Be brief."
    assert [tool["name"] for tool in talk.received.body["tools"]] == ["lookup"]


async def test_bytes_saved_is_what_the_full_request_would_have_been_longer(replica):
    """The same conversation, sent in full in a fresh session each time, is the measure."""
    talk = Talk(replica, instructions="Naïve — 你好.", tools=[LOOKUP])
    replica.simulator.enqueue(
        Script(Reason(("Hm.",)), Say("Look: ", "commentary"), Call("lookup", '{"query": "ü"}')),
        Script(Say('Quotes " and \\ and\nlines.', more=("Another part.",))),
        Script(Say("Done.", "final_answer")),
    )
    for turn in range(4):
        done = await talk.say(tool_results(talk.messages[-1]) if turn == 1 else f"Turn {turn}.")
        assert context(done)[0] == (turn > 0)
        full = Talk(replica, f"fresh-{turn}", **talk.fields)
        full.messages = talk.messages[:-1]
        whole = await full.say()
        assert context(whole) == (False, "first_turn")
        assert whole.report.bytes_saved == 0
        assert done.report.bytes_saved == whole.report.bytes_sent - done.report.bytes_sent


async def test_the_session_sums_up_what_its_turns_saved(talk):
    reports = [(await talk.say(text)).report for text in ("One.", "Two.", "Three.")]
    view = talk.replica.manager.finder.session("", "s1")
    assert (view.turns, view.incremental_turns) == (3, 2)
    assert view.bytes_saved == sum(report.bytes_saved for report in reports) > 0


@pytest.mark.parametrize("answer", ANSWERS)
async def test_what_done_returns_can_be_sent_back_unchanged(replica, answer):
    talk = Talk(replica, tools=[LOOKUP])
    replica.simulator.enqueue(ANSWERS[answer])
    first = await talk.say("Go on.")
    called = any(part.HasField("tool_call") for part in first.message.parts)
    second = await talk.say(tool_results(first.message) if called else "And then?")
    assert context(second) == (True, "continued")
    assert talk.received.previous_response_id == first.report.response_id
    assert talk.received.repeated_items == 0


async def test_an_echo_in_full_is_the_same_conversation_to_the_model(replica):
    """What goes back in full is what the model has said: reasoning, phases and calls in place."""
    talk = Talk(replica, tools=[LOOKUP])
    replica.simulator.enqueue(
        Script(Reason(("Hm.",)), Say("I look.", "commentary"), Call("lookup", "{}"), Call("lookup", "{}")),
    )
    first = await talk.say("Go on.")
    await talk.say(tool_results(first.message), options=SSE)
    kinds = [item["type"] for item in talk.received.body["input"]]
    assert kinds == ["message", "reasoning", "message", *["function_call"] * 2, *["function_call_output"] * 2]
    _, reasoning, text, *_ = talk.received.body["input"]
    assert reasoning["encrypted_content"] == first.message.parts[0].reasoning.encrypted_content != ""
    assert text["phase"] == "commentary"
    assert text["content"] == [{"type": "output_text", "text": "I look.", "annotations": []}]


async def test_a_message_without_its_reasoning_is_no_edit(talk):
    talk.replica.simulator.enqueue(Script(Reason(("Hm.",)), Say("Therefore.")))
    first = await talk.say("Go on.")
    talk.messages[-1] = m.Message(role=m.ROLE_ASSISTANT, parts=first.message.parts[1:])
    assert context(await talk.say("And then?")) == (True, "continued")
    assert talk.received.new_items == 1


async def test_after_an_incomplete_answer_the_whole_conversation_goes_again(talk):
    talk.replica.simulator.enqueue(Script(Say("Half an", closed=False), Incomplete()))
    await talk.say("Go on.")
    assert context(await talk.say("And then?")) == (False, "turn_not_completed")
    assert (talk.received.previous_response_id, talk.received.new_items) == (None, 3)
    assert context(await talk.say("And now?")) == (True, "continued")


async def test_a_turn_by_sse_leaves_the_chain_of_the_line_as_it_was(talk):
    """What it said is not known on the line, so it goes with the next request there: once."""
    await talk.say("One.")
    assert context(await talk.say("Two.", options=SSE)) == (False, "sse")
    done = await talk.say("Three.")
    assert context(done) == (True, "continued")
    assert (talk.received.new_items, talk.received.known_items, talk.received.repeated_items) == (3, 2, 0)


async def test_a_tool_loop_of_25_turns_sends_a_fiftieth_of_the_bytes(start):
    """Counted where they arrive: 200 kB of history, once with continuation and once in full each turn."""
    replica = await start(upstream=BIG)
    history = [user("The quick brown fox. " * 1000) for _ in range(10)]
    assert sum(message.ByteSize() for message in history) > 200_000

    async def loop(session, options):
        talk = Talk(replica, session, tools=[LOOKUP])
        talk.messages = [*history]
        done = await talk.say("Are you there?", options=options)  # the history goes upstream once in any case
        before = replica.simulator.stats.bytes_received
        done = await talk.say("sim:tools(n=25)", options=options)
        for _ in range(25):
            done = await talk.say(tool_results(done.message), options=options)
        assert done.stop_reason == pb.STOP_REASON_STOP
        return replica.simulator.stats.bytes_received - before, talk.text

    incremental, reported = await loop("incremental", {})
    full, reported_in_full = await loop("full", SSE)
    assert reported == reported_in_full
    assert full >= 50 * incremental
    assert full > 25 * 200_000


@pytest.mark.parametrize("options", [{}, SSE], ids=["websocket", "sse"])
async def test_after_done_the_session_is_free(replica, options):
    """Who sends the next turn on `done`, without waiting for the end of the stream, is no fork of himself."""
    talk = Talk(replica)
    calls = []
    for number in range(20):
        talk.messages.append(user(f"Turn {number}."))
        call = replica.completions.StreamCompletion(talk.request(options=options if number % 2 else {}))
        while (event := await call.read()).WhichOneof("event") != "done":
            pass
        assert context(event.done)[1] in ("first_turn", "continued", "sse")
        talk.messages.append(event.done.message)
        calls.append(call)
    assert [await call.code() for call in calls] == [grpc.StatusCode.OK] * 20
