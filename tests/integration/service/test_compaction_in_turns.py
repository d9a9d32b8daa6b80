"""A conversation goes on after a compaction in an answer, with or without what that stands for."""

import json

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from tests.integration.service.talk import LOOKUP, PATIENCE_S, SSE, WEBSOCKET, Talk, context, tool_results
from tests.stack import Stack, kinds_of

LONG = "Long. " * 300
THRESHOLD = 300
MANAGED = json.dumps({"context_management": [{"type": "compaction", "compact_threshold": THRESHOLD}]})
TRANSPORTS = pytest.mark.parametrize("transport", [SSE, WEBSOCKET], ids=["sse", "websocket"])


def managed(replica: Stack, transport=WEBSOCKET, **fields) -> Talk:
    return Talk(replica, options={**transport, "extra_body_json": MANAGED}, **fields)


async def compacted(talk: Talk, said: str = LONG) -> pb.Done:
    """A turn whose answer begins with a compaction."""
    done = await talk.say(said)
    assert [part.WhichOneof("part") for part in done.message.parts][:1] == ["upstream_item"]
    assert done.message.parts[0].upstream_item.type == "compaction"
    return done


@TRANSPORTS
async def test_an_answer_tells_of_it_and_holds_it(replica, transport):
    talk = managed(replica, transport)
    await compacted(talk)
    assert [kind for kind in kinds_of(talk.events) if kind != "text_delta"] == [
        "start",
        "item_progress",
        "done",
    ]
    (progress,) = [event.item_progress for event in talk.events if event.HasField("item_progress")]
    assert (progress.item_type, progress.event_type) == ("compaction", "response.compaction.compacting")


@TRANSPORTS
@pytest.mark.parametrize("keeps", [True, False], ids=["all is kept", "what it stands for is left out"])
async def test_the_next_turns_are_right(replica, transport, keeps):
    talk = managed(replica, transport)
    await talk.say("Short.")
    before = await compacted(talk)
    if not keeps:
        del talk.messages[:-1]
    for number, words in enumerate(("And now?", "And then?")):
        done = await talk.say(words)
        assert done.message.parts[0].HasField("text"), "the context is short again"
        assert done.usage.input_tokens < THRESHOLD < before.usage.input_tokens
        received = talk.received
        if transport is WEBSOCKET:
            assert context(done) == (True, "continued")
            assert (received.new_items, received.repeated_items) == (1, 0)
            # The compaction, and what was said since.
            assert received.known_items == 2 + 2 * number
            assert done.report.bytes_saved > 0
        else:
            kept = ["message", "message", "message"] if keeps else []
            assert received.items == [
                *kept,
                "compaction",
                "message",
                *["message", "message"] * number,
                "message",
            ]
    assert talk.text.endswith('You said: "And then?".')


async def test_on_a_new_line_the_turn_is_full_from_the_compaction_on(replica):
    talk = managed(replica)
    await compacted(talk)
    del talk.messages[:-1]
    replica.simulator.drop_all()
    await replica.simulator.wait_for(lambda: not replica.simulator.stats.open_connections, PATIENCE_S)
    assert context(await talk.say("And now?")) == (False, "new_connection")
    assert talk.received.items == ["compaction", "message", "message"]
    assert context(await talk.say("And then?")) == (True, "continued")


@TRANSPORTS
async def test_where_responses_are_stored_it_goes_on_over_any_line(replica, transport):
    talk = Talk(replica, options={**transport, "store": True, "extra_body_json": MANAGED})
    done = await compacted(talk)
    del talk.messages[:-1]
    replica.simulator.drop_all()
    assert context(await talk.say("And now?")) == (True, "continued")
    assert (talk.received.new_items, talk.received.known_items) == (1, 2)
    # A token knows, too, where the compaction stands.
    other = Talk(replica, session="s2", options={**transport, "store": True, "extra_body_json": MANAGED})
    other.messages = [done.message]
    again = await other.say("And now?", continuation=done.continuation)
    assert context(again) == (True, "continued")
    assert other.received.items == ["message"]
    other.messages = [m.Message(role=m.ROLE_ASSISTANT, parts=done.message.parts[1:])]
    assert context(await other.say("And now?", continuation=done.continuation)) == (False, "history_edited")


async def test_a_compaction_that_is_left_out_alone_is_no_edit(replica):
    talk = managed(replica)
    done = await compacted(talk)
    talk.messages[-1] = m.Message(role=m.ROLE_ASSISTANT, parts=done.message.parts[1:])
    assert context(await talk.say("And now?")) == (True, "continued")
    assert (talk.received.new_items, talk.received.known_items) == (1, 2)


@pytest.mark.parametrize(
    "change", ["another", "of the user", "with what it stands for", "not all that followed"]
)
async def test_a_change_is_an_edit(replica, change):
    talk = managed(replica)
    done = await compacted(talk)
    item, text = done.message.parts
    match change:
        case "another":
            changed = item.upstream_item.json.replace("gAAAA", "gBBBB")
            other = m.Part(upstream_item=m.UpstreamItemPart(type="compaction", json=changed))
            talk.messages = [m.Message(role=m.ROLE_ASSISTANT, parts=[other, text])]
        case "of the user":
            talk.messages = [
                m.Message(role=m.ROLE_USER, parts=[item]),
                m.Message(role=m.ROLE_ASSISTANT, parts=[text]),
            ]
        case "with what it stands for":
            talk.messages = [m.Message(role=m.ROLE_ASSISTANT, parts=[text])]
        case "not all that followed":
            talk.messages = [m.Message(role=m.ROLE_ASSISTANT, parts=[item])]
    sent = len(talk.messages)
    assert context(await talk.say("And now?")) == (False, "history_edited")
    assert "previous_response_id" not in talk.received.body
    assert len(talk.received.items) >= sent + 1


@TRANSPORTS
async def test_a_tool_loop_goes_on_over_a_compaction(replica, transport):
    talk = managed(replica, transport, tools=[LOOKUP])
    first = await compacted(talk, LONG + " sim:tools(n=2)")
    assert first.stop_reason == pb.STOP_REASON_TOOL_USE
    del talk.messages[:-1]
    second = await talk.say(tool_results(first.message))
    if transport is WEBSOCKET:
        assert context(second) == (True, "continued")
        assert talk.received.new_items == 1


@TRANSPORTS
async def test_a_result_may_follow_a_compaction_that_holds_its_call(replica, transport):
    talk = Talk(replica, tools=[LOOKUP], options=transport)
    called = await talk.say("sim:tools(n=1)")
    answer = await replica.completions.Compact(
        pb.CompactRequest(session_id="s1", model="simulated-1", messages=talk.messages)
    )
    talk.messages = list(answer.messages)
    done = await talk.say(tool_results(called.message))
    assert talk.received.items == ["message", "compaction", "function_call_output"]
    assert done.stop_reason == pb.STOP_REASON_STOP


@TRANSPORTS
async def test_a_caller_may_ask_for_it_by_an_item(replica, transport):
    talk = Talk(replica, options=transport)
    await talk.say("Short.")
    item = m.UpstreamItemPart(type="compaction_trigger", json='{"type":"compaction_trigger"}')
    done = await talk.say(m.Message(role=m.ROLE_USER, parts=[m.Part(upstream_item=item)]))
    assert talk.received.items[-1] == "compaction_trigger"
    assert [part.upstream_item.type for part in done.message.parts] == ["compaction"]
    assert done.stop_reason == pb.STOP_REASON_STOP
    talk.messages = [done.message]
    after = await talk.say("And now?")
    if transport is WEBSOCKET:
        assert context(after) == (True, "continued")
        assert (talk.received.known_items, talk.received.new_items) == (1, 1)
    else:
        assert talk.received.items == ["compaction", "message"]
