"""Waiting deltas become one, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import (
    MERGE_CHARACTERS,
    Completed,
    Delta,
    Event,
    ReasoningDelta,
    ReasoningKind,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ToolCallDelta,
    Usage,
    merge,
)
from service.domain.messages import Message, Role

START = Started("resp_1", "m")
END = Completed("resp_1", "m", 0.0, Message(Role.ASSISTANT, ()), StopReason.STOP, Usage(), continuable=True)


def test_neighbours_of_one_part_become_one():
    batch: list[Event] = [START, TextDelta(0, "a"), TextDelta(0, "b"), TextDelta(0, "c"), END]
    assert list(merge(batch)) == [START, TextDelta(0, "abc"), END]


def test_parts_and_kinds_stay_apart():
    batch: list[Event] = [
        TextDelta(0, "a"),
        TextDelta(1, "b"),
        RefusalDelta(1, "c"),
        ReasoningDelta(2, "d"),
        ReasoningDelta(2, "e", ReasoningKind.TEXT),
        ToolCallDelta(3, "", "call_1", "f"),
    ]
    assert list(merge(batch)) == batch


def test_a_tool_call_keeps_its_name():
    batch = [ToolCallDelta(0, "", "call_1", "f"), ToolCallDelta(0, "{}", "call_1", "f")]
    assert list(merge(batch)) == [ToolCallDelta(0, "{}", "call_1", "f")]


def test_a_merged_delta_has_a_bound_and_none_is_cut():
    half = "x" * (MERGE_CHARACTERS // 2)
    merged = list(merge([TextDelta(0, half), TextDelta(0, half), TextDelta(0, "y"), TextDelta(0, 3 * half)]))
    assert merged == [TextDelta(0, 2 * half), TextDelta(0, "y"), TextDelta(0, 3 * half)]


def test_64_kib_whatever_the_characters():
    assert len(("\U0001f600" * MERGE_CHARACTERS).encode()) == 64 * 1024


def test_nothing_of_nothing():
    assert list(merge([])) == []


deltas = st.one_of(
    st.builds(TextDelta, st.integers(0, 2), st.text(max_size=4)),
    st.builds(ReasoningDelta, st.integers(0, 2), st.text(max_size=4), st.sampled_from(ReasoningKind)),
    st.builds(ToolCallDelta, st.just(3), st.text(max_size=4), st.just("call_1"), st.just("f")),
)


def spelled(events) -> list[tuple[object, ...]]:
    """Each character with the part that it belongs to."""
    said: list[tuple[object, ...]] = []
    for event in events:
        assert isinstance(event, Delta)
        kind = event.kind if isinstance(event, ReasoningDelta) else None
        said += [(type(event), event.content_index, kind, character) for character in event.delta]
    return said


@given(st.lists(deltas))
def test_merging_loses_nothing_and_keeps_the_order(batch):
    merged = list(merge(batch))
    assert spelled(merged) == spelled(batch)
    assert len(merged) <= len(batch)
