"""Deltas that were read together are merged; nothing else is."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Completed, ReasoningDelta, RefusalDelta, Started, TextDelta, ToolCallDelta
from service.wire.bounds import MAX_DELTA_CHARACTERS
from service.wire.response_decoder import ResponseDecoder
from service.wire.streams import MERGE_CHARACTERS
from tests.unit.wire.server_events import added, created, ended, frame, text_delta

CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f"}


def begun(*frames):
    decoder = ResponseDecoder(continuing=False)
    decoder.feed([created(), *frames], [])
    return decoder


def together(decoder, *frames):
    events: list[Any] = []
    decoder.feed(frames, events)
    return events


def refusal(delta, index=0):
    kind = "response.refusal.delta"
    return frame(kind, item_id="msg_1", output_index=0, content_index=index, delta=delta)


def thought(delta, index=1, paragraph=0):
    kind = "response.reasoning_summary_text.delta"
    return frame(kind, item_id="rs_1", output_index=index, summary_index=paragraph, delta=delta)


def arguments(delta):
    kind = "response.function_call_arguments.delta"
    return frame(kind, item_id="fc_1", output_index=0, delta=delta)


def test_neighbours_of_one_part_become_one():
    frames = [created(), text_delta("a"), text_delta("b"), text_delta("c"), ended()]
    events = together(ResponseDecoder(continuing=False), *frames)
    assert [type(event) for event in events] == [Started, TextDelta, Completed]
    assert events[1] == TextDelta(0, "abc")


def test_parts_and_kinds_stay_apart():
    frames = [text_delta("a"), text_delta("b", content_index=1), refusal("c", 2), text_delta("d")]
    assert together(begun(), *frames) == [
        TextDelta(0, "a"),
        TextDelta(1, "b"),
        RefusalDelta(2, "c"),
        TextDelta(0, "d"),
    ]


def test_what_goes_elsewhere_between_two_of_them_does_not_mislead():
    """The same address in every field but one."""
    frames = [thought("a"), thought("b", paragraph=1), thought("c"), text_delta("d")]
    assert together(begun(), *frames) == [
        ReasoningDelta(0, "a"),
        ReasoningDelta(0, "b"),
        ReasoningDelta(0, "c"),
        TextDelta(1, "d"),
    ]


def test_a_new_item_at_an_index_gets_later_deltas():
    decoder = begun(added(0, {"type": "message", "id": "msg_1"}), text_delta("a"))
    frames = [text_delta("b"), added(0, {"type": "message", "id": "msg_2"}), text_delta("c", item_id="msg_2")]
    assert together(decoder, *frames) == [TextDelta(0, "b"), TextDelta(1, "c")]


def test_what_cannot_be_placed_is_counted_each_time():
    decoder = begun(added(0, {"type": "message", "id": "msg_1"}))
    assert together(decoder, arguments("a"), arguments("b")) == []
    assert decoder.ignored == {"unplaced": 2}


def test_a_tool_call_keeps_its_name():
    assert together(begun(added(0, CALL)), arguments("{"), arguments("}")) == [
        ToolCallDelta(0, "{}", "call_1", "f")
    ]


def test_a_merged_delta_is_bounded():
    half = "x" * (MERGE_CHARACTERS // 2)
    frames = [text_delta(half), text_delta(half), text_delta("y"), text_delta(3 * half)]
    assert together(begun(), *frames) == [TextDelta(0, 2 * half), TextDelta(0, "y"), TextDelta(0, 3 * half)]


def test_a_long_piece_is_split_without_loss():
    piece = "é" * (MAX_DELTA_CHARACTERS + 1)
    decoder = begun()
    assert [len(event.delta) for event in together(decoder, text_delta(piece))] == [MAX_DELTA_CHARACTERS, 1]
    assert decoder.partial().parts[0].text == piece


def test_64_kib_whatever_the_characters():
    assert len(("\U0001f600" * MERGE_CHARACTERS).encode()) == 64 * 1024


def test_nothing_of_nothing():
    assert together(begun()) == []


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.text(max_size=5)), max_size=30))
def test_no_word_is_lost_or_moved(pieces):
    frames = [text_delta(piece, content_index=index) for index, piece in pieces]
    read_apart = begun()
    apart = [event for one in frames for event in together(read_apart, one)]
    read_together = begun()
    at_once = together(read_together, *frames)
    for index in {event.content_index for event in apart}:
        assert "".join(event.delta for event in apart if event.content_index == index) == "".join(
            event.delta for event in at_once if event.content_index == index
        )
    assert all(one.content_index != other.content_index for one, other in pairwise(at_once))
    assert read_apart.partial() == read_together.partial()
