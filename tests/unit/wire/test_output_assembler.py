"""Which event belongs to which item, tested through the decoder."""

import pytest

from service.domain.events import ReasoningDelta, ReasoningKind, TextDelta, ToolCallDelta
from service.domain.messages import ReasoningPart, TextPart, ToolCallPart, UpstreamItemPart
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import (
    added,
    anonymous,
    arguments_delta,
    call,
    created,
    done,
    ended,
    fed,
    frame,
    message,
    reasoning,
    text_delta,
)


@pytest.fixture
def decoder():
    decoder = ResponseDecoder(continuing=False)
    fed(decoder, created())
    return decoder


def feed(decoder, *frames):
    return fed(decoder, *frames)


def parts(decoder, *frames):
    """The parts of the message that the frames end with."""
    return anonymous(feed(decoder, *frames)[-1].message.parts)


def test_a_delta_that_fits_no_item_is_counted(decoder):
    feed(decoder, added(0, message()))
    strange = [arguments_delta("x", 0, "msg_1"), arguments_delta("x", 7), arguments_delta("x", None, None)]
    assert feed(decoder, *strange) == []
    assert decoder.ignored == {"unplaced": len(strange)}


def test_a_delta_for_a_closed_item_is_late(decoder):
    feed(decoder, added(0, message()), done(0, message("a")), text_delta("x"), text_delta("x", item_id="m9"))
    assert feed(decoder, text_delta("x", None)) == []
    assert decoder.ignored == {"late": 3}
    assert parts(decoder, ended()) == (TextPart("a"),)


def test_a_server_that_announces_nothing(decoder):
    assert feed(decoder, text_delta("hi"), text_delta("!")) == [TextDelta(0, "hi"), TextDelta(0, "!")]
    assert feed(decoder, added(0, message(phase="final_answer"))) == []
    assert parts(decoder, done(0, message("hi!")), ended()) == (TextPart("hi!", "final_answer"),)


def test_a_server_that_gives_no_item_ids_and_announces_late(decoder):
    bare = frame("response.output_text.delta", output_index=0, content_index=0, delta="hi")
    assert feed(decoder, bare, added(0, message()), bare) == [TextDelta(0, "hi"), TextDelta(0, "hi")]
    assert parts(decoder, ended()) == (TextPart("hihi"),)


def test_a_server_that_counts_no_items(decoder):
    def bare(kind, **fields):
        return frame(kind, **fields)

    events = feed(
        decoder,
        bare("response.output_item.added", item=message(item_id="")),
        bare("response.output_text.delta", delta="a"),
        bare("response.output_item.done", item=message("a", "")),
        bare("response.output_item.added", item=message(item_id="")),
        bare("response.output_text.delta", delta="b"),
        bare("response.output_item.done", item=message("b", "")),
    )
    assert events == [TextDelta(0, "a"), TextDelta(1, "b")]
    assert parts(decoder, ended(output=[message("a", ""), message("b", "")])) == (
        TextPart("a"),
        TextPart("b"),
    )


def test_ids_that_are_others_at_the_end(decoder):
    feed(
        decoder,
        added(0, reasoning(item_id="r")), done(0, reasoning("hm", item_id="r2")),
        added(1, message(item_id="m")), text_delta("a", 1, "m"), done(1, message("a", "m2")),
        added(2, message(item_id="n")), text_delta("b", 2, "n"), done(2, message("b", "n")),
    )  # fmt: skip
    output = [message("a", "m9"), message("b", "n"), call("{}")]
    assert parts(decoder, ended(output=output)) == (
        ReasoningPart("r2", ("hm",)), TextPart("a"), TextPart("b"), ToolCallPart("call_1", "look", "{}"),
    )  # fmt: skip
    assert not decoder.ignored


def test_an_item_announced_twice_is_one(decoder):
    assert feed(decoder, added(0, call()), added(0, call())) == [ToolCallDelta(0, "", "call_1", "look")]
    assert feed(decoder, done(0, call("{}")), done(0, call("{}"))) == [
        ToolCallDelta(0, "{}", "call_1", "look")
    ]


def test_original_fault_content_index_always_0(decoder):
    events = feed(
        decoder,
        added(0, reasoning()),
        frame(
            "response.reasoning_summary_text.delta",
            item_id="rs_1",
            output_index=0,
            summary_index=0,
            delta="hm",
        ),
        done(0, reasoning("hm")),
        added(1, {"type": "web_search_call", "id": "ws_1"}),
        done(1, {"type": "web_search_call", "id": "ws_1"}),
        added(2, message()),
        text_delta("a", 2),
        text_delta("b", 2, content_index=1),
        added(3, call()),
        arguments_delta("{}", 3),
    )
    assert events == [
        ReasoningDelta(0, "hm", ReasoningKind.SUMMARY),
        TextDelta(2, "a"),
        TextDelta(3, "b"),
        ToolCallDelta(4, "", "call_1", "look"),
        ToolCallDelta(4, "{}", "call_1", "look"),
    ]
    assert not decoder.ignored
    assert parts(decoder, ended()) == (
        ReasoningPart("rs_1", ("hm",)),
        UpstreamItemPart("web_search_call", '{"type": "web_search_call", "id": "ws_1"}'),
        TextPart("a"), TextPart("b"), ToolCallPart("call_1", "look", "{}"),
    )  # fmt: skip


def test_what_only_the_end_contains_is_emitted_then(decoder):
    feed(decoder, added(0, message()), text_delta("Hel"))
    *deltas, end = feed(
        decoder, ended(output=[message("Hello"), call("{}", "fc_2", "call_2"), reasoning("hm")])
    )
    assert deltas == [
        TextDelta(0, "lo"),
        ToolCallDelta(1, "", "call_2", "look"),
        ToolCallDelta(1, "{}", "call_2", "look"),
        ReasoningDelta(2, "hm"),
    ]
    assert anonymous(end.message.parts) == (
        TextPart("Hello"), ToolCallPart("call_2", "look", "{}"), ReasoningPart("rs_1", ("hm",)),
    )  # fmt: skip


def test_an_empty_output_is_rebuilt_from_what_came(decoder):
    feed(
        decoder,
        added(0, message()),
        text_delta("streamed"),
        done(1, call("{}")),
        done(2, message("done", "msg_2")),
    )
    assert parts(decoder, ended()) == (
        TextPart("streamed"),
        ToolCallPart("call_1", "look", "{}"),
        TextPart("done"),
    )
