"""Faults of the original integration that show only where everything works together."""

import asyncio
from contextlib import suppress

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from simulator.scripts import Call, Fail, Gate, Hang, Incomplete, Reason, Say, Script, Start
from tests.integration.service.talk import (
    LOOKUP,
    PATIENCE_S,
    SSE,
    WEBSOCKET,
    Talk,
    context,
    failed,
    failed_stream,
    tool_results,
)
from tests.stack import kinds_of, request, user

BOTH = pytest.mark.parametrize("options", [WEBSOCKET, SSE], ids=["websocket", "sse"])
PNG = m.Part(image=m.ImagePart(data=b"\x89PNG", mime_type="image/png"))
PNG_URL = "data:image/png;base64,iVBORw=="


async def test_original_fault_counts_messages_instead_of_comparing_content(talk):
    """As many messages as before and one more, but other ones: nothing of it may be left out."""
    await talk.say("Hello.")
    talk.messages[:] = [user("Good morning."), m.Message(role=m.ROLE_ASSISTANT, parts=[_text("Morning!")])]
    assert context(await talk.say("How are you?")) == (False, "history_edited")
    assert [item["content"][0]["text"] for item in talk.received.body["input"]] == [
        "Good morning.",
        "Morning!",
        "How are you?",
    ]


async def test_original_fault_full_context_sent_together_with_previous_response_id(talk):
    for text in ("One.", "Two.", "Three."):
        await talk.say(text)
    talk.messages[0] = user("Edited.")
    await talk.say("Four.")
    for received in talk.replica.simulator.requests:
        assert received.repeated_items == 0
        assert (received.previous_response_id is None) == (received.known_items == 0)
    assert [len(received.body["input"]) for received in talk.replica.simulator.requests] == [1, 1, 1, 7]


async def test_original_fault_new_user_messages_dropped_in_incremental_mode(talk):
    """Beside tool results, too: whatever is new goes."""
    talk.fields["tools"] = [LOOKUP]
    done = await talk.say("sim:tools(n=1)")
    assert context(await talk.say(tool_results(done.message), "And one more thing.", "And another."))[0]
    kinds = [(item["type"], item.get("role")) for item in talk.received.body["input"]]
    assert kinds == [("function_call_output", None), ("message", "user"), ("message", "user")]


async def test_original_fault_parent_id_taken_from_whatever_completed_last_another_turn(replica):
    """A turn beside it, of another session and of its own, ends between the two turns of a conversation."""
    talk = Talk(replica)
    first = await talk.say("Hello.")
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    assert talk.received.previous_response_id == first.report.response_id
    await Talk(replica, "other").say("Hello.")
    await Talk(replica).say("Something else.")
    replica.simulator.open_gate("go")
    second = await turn
    await talk.say("And again.")
    assert talk.received.previous_response_id == second.report.response_id


@BOTH
async def test_original_fault_response_incomplete_hangs(talk, options):
    talk.replica.simulator.enqueue(Script(Say("Half an", closed=False), Incomplete()))
    done = await asyncio.wait_for(talk.say("Go on.", options=options), PATIENCE_S)
    assert (talk.text, done.stop_reason) == ("Half an", pb.STOP_REASON_LENGTH)


@BOTH
@pytest.mark.parametrize(
    "shape", ["nested", "flat", "status_code", "body", "message_only", "response_failed"]
)
async def test_original_fault_error_frames_read_wrongly(replica, options, shape):
    """Wherever the words stand in the frame, the caller reads them, and never "undefined"."""
    fail = Fail("The cat sat on it.", "invalid_prompt", 400, "invalid_request_error", shape=shape)
    replica.simulator.enqueue(Script(Start(), Say("Half", closed=False), fail))
    events, failure = await failed_stream(replica, request("Go.", options=options))
    assert kinds_of(events)[-1] == "error"
    for reported in (events[-1].error.message, failure.message):
        assert "The cat sat on it." in reported
        assert "undefined" not in reported
        assert "None" not in reported
    if shape != "message_only":
        assert events[-1].error.upstream.code == "invalid_prompt"
        assert events[-1].error.reason == "INVALID_REQUEST"


async def test_original_fault_abort_leaves_the_socket_in_use(replica):
    """The aborted answer is never heard again, and its line never used again."""
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(Script(Say("The old", closed=False), Gate("go"), Say(" answer.")))
    call = replica.completions.StreamCompletion(request(*talk.messages, "Tell me."), timeout=PATIENCE_S)
    events = aiter(call)
    while not (await anext(events)).HasField("text_delta"):
        pass
    call.cancel()
    for _ in range(3):
        await talk.say("sim:say(text=The new answer.)")
        assert talk.text == "The new answer."
        assert talk.received.connection_id != "conn_1"
        # The cancellation may arrive after the first of these turns: until then the gate stays closed.
        await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)
        replica.simulator.open_gate("go")


@BOTH
async def test_original_fault_tools_nested_chat_style(talk, options):
    """The upstream refuses what is not flat; the model calls it by its name."""
    done = await talk.say("sim:tools(n=1)", tools=[LOOKUP], options=options)
    assert talk.received.body["tools"] == [
        {
            "type": "function",
            "name": "lookup",
            "description": "Looks something up.",
            "parameters": {
                "type": "object",
                "properties": {"query": {"type": "string"}},
                "required": ["query"],
            },
            "strict": False,
        }
    ]
    assert done.message.parts[0].tool_call.name == "lookup"


@BOTH
async def test_original_fault_images_source_style(talk, options):
    link = m.Part(image=m.ImagePart(url="https://example.org/cat.png", detail="low"))
    await talk.say(m.Message(role=m.ROLE_USER, parts=[_text("Look."), link, PNG]), options=options)
    assert talk.received.body["input"][0]["content"] == [
        {"type": "input_text", "text": "Look."},
        {"type": "input_image", "image_url": "https://example.org/cat.png", "detail": "low"},
        {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
    ]


@BOTH
async def test_original_fault_tool_result_images_dropped(talk, options):
    done = await talk.say("sim:tools(n=1)", tools=[LOOKUP], options=options)
    await talk.say(tool_results(done.message, PNG), tools=[LOOKUP], options=options)
    output = talk.received.body["input"][-1]["output"]
    assert output == [
        {"type": "input_text", "text": "42"},
        {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
    ]


async def test_original_fault_reasoning_items_and_encrypted_content_lost(talk):
    """Asked for, reported to the caller, and back in its place when everything must go again."""
    talk.replica.simulator.enqueue(Script(Reason(("Hm.",)), Say("Therefore.")))
    done = await talk.say("Go on.")
    assert talk.received.body["include"] == ["reasoning.encrypted_content"]
    reasoning = done.message.parts[0].reasoning
    talk.replica.simulator.drop_all()
    await talk.replica.simulator.wait_for(
        lambda: not talk.replica.simulator.stats.open_connections, PATIENCE_S
    )
    await talk.say("And then?")
    sent = talk.received.body["input"][1]
    assert sent["type"] == "reasoning"
    assert "id" not in sent  # the upstream, which does not store it, could not look it up
    assert sent["encrypted_content"] == reasoning.encrypted_content != ""
    assert sent["summary"] == [{"type": "summary_text", "text": "Hm."}]


async def test_original_fault_cached_tokens_always_0(talk):
    await talk.say("Hello. " * 100)
    assert (await talk.say("And again.")).usage.cached_input_tokens > 0


@BOTH
async def test_original_fault_content_index_always_0(talk, options):
    talk.replica.simulator.enqueue(Script(Say("One. ", more=("Two. ",)), Say("Three.")))
    done = await talk.say("Go on.", options=options)
    assert [part.text.text for part in done.message.parts] == ["One. ", "Two. ", "Three."]
    indexes = [event.text_delta.content_index for event in talk.events if event.HasField("text_delta")]
    assert sorted(set(indexes)) == [0, 1, 2]
    assert indexes == sorted(indexes)


@BOTH
async def test_original_fault_malformed_tool_arguments_become_empty(talk, options):
    """Passed on as they are, both ways."""
    malformed = '{"query": unquoted,}'
    talk.replica.simulator.enqueue(Script(Call("lookup", malformed)))
    done = await talk.say("Go on.", tools=[LOOKUP], options=options)
    assert done.message.parts[0].tool_call.arguments == malformed
    reported = "".join(event.tool_call_delta.arguments_delta for event in talk.events)
    assert reported == malformed
    await talk.say(tool_results(done.message), tools=[LOOKUP], options=SSE)
    assert talk.received.body["input"][1]["arguments"] == malformed


@BOTH
async def test_original_fault_max_tokens_0_dropped(replica, options):
    """Zero is a value, and what the upstream thinks of it is the upstream's to say."""
    for zeros in ({"temperature": 0.0, "top_p": 0.0}, {"max_output_tokens": 0}):
        with suppress(grpc.aio.AioRpcError):  # of no token at all the upstream wants to hear nothing
            await replica.turn(request("Go on.", options={**zeros, **options}))
        body = replica.simulator.requests[-1].body
        assert {name: body.get(name) for name in zeros} == zeros


@BOTH
@pytest.mark.parametrize("reported", [0, 1], ids=["before the start", "in the answer"])
async def test_original_fault_no_timeouts(start, options, reported):
    """An upstream that falls silent ends the turn, by name, and not the conversation."""
    replica = await start({"FIRST_EVENT_TIMEOUT_S": "1", "IDLE_TIMEOUT_S": "1", "COOLDOWN_S": "0"})
    silence = Script(Say("Half", closed=False), Hang()) if reported else Script(Hang())
    replica.simulator.enqueue(*[silence] * 3)
    failure = await failed(replica.turn(request("Go on.", options=options), timeout=PATIENCE_S))
    assert (failure.reason, failure.sent) == ("TIMEOUT", "true")
    assert ("IDLE_TIMEOUT_S" if reported else "FIRST_EVENT_TIMEOUT_S") in failure.message
    replica.simulator._upstream.queued.clear()
    assert await replica.done(request("Go on.", options=options))


async def test_original_fault_no_timeouts_of_a_whole_turn(start):
    """One that is never silent and never done ends, too."""
    replica = await start({"TURN_TIMEOUT_S": "3"})
    failure = await failed(replica.turn(request("sim:slow(n=100000, delay_ms=5)"), timeout=PATIENCE_S))
    assert failure.reason == "TIMEOUT"
    assert "TURN_TIMEOUT_S" in failure.message
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)


def _text(words: str) -> m.Part:
    return m.Part(text=m.TextPart(text=words))
