"""The grammar of a stream: one start, content, one end, numbered without gaps; and what it tells."""

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from simulator import Settings
from simulator.scripts import Call, Gate, Incomplete, Reason, Refuse, Say, Script
from tests.integration.service.talk import LOOKUP, PATIENCE_S, Talk, tool_results
from tests.stack import kinds_of, request, text_of, user

EVERYTHING = (
    Reason(("Look first.",)),
    Say("Let me see. ", "commentary"),
    Call("lookup", '{"query": "a"}'),
    Call("lookup", '{"query": "b"}'),
)


async def test_a_turn_is_a_start_its_content_and_one_end(talk):
    done = await talk.say("Hello.")
    assert [event.sequence for event in talk.events] == list(range(1, len(talk.events) + 1))
    kinds = kinds_of(talk.events)
    assert (kinds[0], kinds[-1]) == ("start", "done")
    assert set(kinds[1:-1]) == {"text_delta"}
    assert talk.text == done.message.parts[0].text.text != ""
    assert done.stop_reason == pb.STOP_REASON_STOP


async def test_the_start_and_the_end_say_who_answered_and_how(talk):
    done = await talk.say("Hello.")
    start = talk.events[0].start
    assert (start.model, start.transport, start.context) == (
        "simulated-1",
        pb.TRANSPORT_WEBSOCKET,
        pb.CONTEXT_FULL,
    )
    assert start.turn_id
    assert (done.model, done.provider) == ("simulated-1", "openai")
    assert done.created_at.seconds > 0
    assert done.report.response_id == talk.received.response_id
    assert done.report.attempts == 1
    assert done.report.bytes_sent == talk.received.size


async def test_the_times_of_a_turn_follow_each_other(talk):
    times = (await talk.say("Hello.")).report.timings
    moments = [times.first_event, times.first_content, times.total]
    in_order = [moment.seconds + moment.nanos / 1e9 for moment in moments]
    assert 0 < in_order[0] <= in_order[1] <= in_order[2]
    assert times.connect.nanos > 0


@pytest.mark.parametrize("transport", [pb.TRANSPORT_WEBSOCKET, pb.TRANSPORT_SSE])
async def test_each_delta_names_the_part_that_it_grows(replica, transport):
    """Indexes are given in the order of appearance; the deltas of each make the part in `done`."""
    replica.simulator.enqueue(Script(*EVERYTHING))
    events = await replica.turn(request("Go.", tools=[LOOKUP], options={"transport": transport}))
    grown: dict[int, str] = {}
    for event in events[1:-1]:
        kind = event.WhichOneof("event")
        delta = getattr(event, kind)
        piece = delta.arguments_delta if kind == "tool_call_delta" else delta.delta
        grown[delta.content_index] = grown.get(delta.content_index, "") + piece
    assert list(grown) == [0, 1, 2, 3]
    reasoning, text, *calls = events[-1].done.message.parts
    assert grown == {
        0: "".join(reasoning.reasoning.summary),
        1: text.text.text,
        2: calls[0].tool_call.arguments,
        3: calls[1].tool_call.arguments,
    }
    assert text.text.phase == "commentary"
    assert events[-1].done.stop_reason == pb.STOP_REASON_TOOL_USE


@pytest.mark.parametrize(
    ("reason", "stop_reason"),
    [
        ("max_output_tokens", pb.STOP_REASON_LENGTH),
        ("content_filter", pb.STOP_REASON_CONTENT_FILTER),
    ],
)
async def test_an_answer_that_was_cut_off_ends_well(talk, reason, stop_reason):
    done = await talk.say(f"sim:incomplete(reason={reason})")
    assert done.stop_reason == stop_reason
    assert done.message.parts[0].text.text == talk.text == "This answer stops in the"


async def test_a_truncated_call_is_streamed_and_left_out_of_the_answer(talk):
    done = await talk.say("sim:truncated_call", tools=[LOOKUP])
    assert "tool_call_delta" in kinds_of(talk.events)
    assert [part.WhichOneof("part") for part in done.message.parts] == ["text"]
    assert max(event.tool_call_delta.content_index for event in talk.events) == 1


async def test_a_refusal_is_reported_as_one(talk):
    talk.replica.simulator.enqueue(Script(Refuse("No, sorry.")))
    done = await talk.say("Do evil.")
    assert [part.refusal.text for part in done.message.parts] == ["No, sorry."]
    assert "".join(event.refusal_delta.delta for event in talk.events) == "No, sorry."


async def test_usage_is_what_the_upstream_counted(talk):
    first = (await talk.say("Hello. " * 50)).usage
    second = (await talk.say("And again.")).usage
    assert first.total_tokens == first.input_tokens + first.output_tokens > 0
    assert first.cached_input_tokens == 0
    assert 0 < second.cached_input_tokens < second.input_tokens


async def test_complete_gives_the_same_answer_at_once(replica):
    streamed = await Talk(replica).say("sim:words(n=20)")
    wanted = request("sim:words(n=20)", session="other")
    whole = await replica.completions.Complete(pb.CompleteRequest.FromString(wanted.SerializeToString()))
    for part in (*whole.message.parts, *streamed.message.parts):
        part.ClearField("item_id")  # each response names its own
    assert whole.message == streamed.message
    assert (whole.stop_reason, whole.usage, whole.model) == (
        streamed.stop_reason,
        streamed.usage,
        streamed.model,
    )
    assert whole.report.bytes_sent == streamed.report.bytes_sent


async def test_complete_continues_what_a_stream_began_and_the_other_way_round(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    talk.messages.append(user("And then?"))
    whole = await replica.completions.Complete(
        pb.CompleteRequest.FromString(talk.request().SerializeToString())
    )
    assert whole.report.context_reason == "continued"
    talk.messages.append(whole.message)
    assert (await talk.say("And now?")).report.context_reason == "continued"


async def test_waiting_deltas_travel_together_and_nothing_is_lost(replica):
    """Ten thousand deltas that the upstream writes at once: far fewer messages, the same text."""
    text = "".join(f"{number:05d} " for number in range(10_000))
    replica.simulator.enqueue(Script(Say(text)))
    events = await replica.turn(request("Go on."))
    assert text_of(events) == events[-1].done.message.parts[0].text.text == text
    assert len(events) < 2_000
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert max(len(event.text_delta.delta.encode()) for event in events) <= 64 * 1024


async def test_a_delta_that_stands_alone_is_not_held_back(replica):
    """The upstream says half and waits: the caller has that half before the rest is written."""
    replica.simulator.enqueue(Script(Say("First half. ", closed=False), Gate("rest")))
    events = aiter(replica.completions.StreamCompletion(request("Go on."), timeout=PATIENCE_S))
    reported = ""
    while reported != "First half. ":
        reported += (await anext(events)).text_delta.delta
    replica.simulator.open_gate("rest")
    assert [event.WhichOneof("event") async for event in events] == ["done"]


@pytest.mark.parametrize("transport", [pb.TRANSPORT_WEBSOCKET, pb.TRANSPORT_SSE])
async def test_every_character_arrives_as_it_was_written(start, transport):
    """One character a delta, wide ones, joined ones and line separators among them."""
    replica = await start(upstream=Settings(delta_size=1))
    done = await replica.done(request("sim:unicode", options={"transport": transport}))
    text = done.message.parts[0].text.text
    assert "你好" in text
    assert "\u2028" in text
    assert "\x85" in text
    await replica.done(
        request("sim:unicode", m.Message(role=m.ROLE_ASSISTANT, parts=done.message.parts), "And?")
    )


async def test_a_tool_loop_ends_in_the_words_of_its_results(talk):
    talk.fields["tools"] = [LOOKUP]
    done = await talk.say("sim:tools(n=3)")
    for number in range(1, 4):
        assert done.stop_reason == pb.STOP_REASON_TOOL_USE
        done = await talk.say(tool_results(done.message, text=f"result {number}"))
        assert done.report.context_reason == "continued"
    assert done.stop_reason == pb.STOP_REASON_STOP
    assert talk.text == "I called lookup 3 times. Results: 1: result 1 2: result 2 3: result 3"


async def test_an_answer_of_nothing_but_a_cut_is_still_an_answer(replica):
    replica.simulator.enqueue(Script(Incomplete()))
    events = await replica.turn(request("Go on."))
    assert kinds_of(events) == ["start", "done"]
    assert list(events[-1].done.message.parts) == []
