import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import TextDelta
from service.wire.bounds import MAX_ANSWER_BYTES, MAX_DELTA_CHARACTERS, Bounds
from service.wire.streams import MERGE_CHARACTERS, Stream
from service.wire.tally import Tally


@pytest.fixture
def stream():
    return Stream(lambda piece: TextDelta(0, piece), Bounds())


def texts(events):
    return [event.delta for event in events]


def grow(stream, piece):
    """Add one piece that is not merged with others."""
    assert not stream.add(piece)
    return stream.merge()


def test_each_piece_is_one_delta_and_an_empty_one_none(stream):
    assert texts(grow(stream, "Hel")) == ["Hel"]
    assert grow(stream, "") == []
    assert texts(grow(stream, "lo")) == ["lo"]
    assert stream.text == "Hello"


def test_a_long_piece_is_cut_into_deltas_of_the_bound(stream):
    piece = "é" * (2 * MAX_DELTA_CHARACTERS + 1)
    deltas = texts(grow(stream, piece))
    assert [len(delta) for delta in deltas] == [MAX_DELTA_CHARACTERS, MAX_DELTA_CHARACTERS, 1]
    assert "".join(deltas) == piece


def test_the_final_text_adds_what_the_pieces_lacked(stream):
    grow(stream, "Hel")
    assert texts(stream.settle("Hello", Tally())) == ["lo"]
    assert stream.settle("Hello", Tally()) == []


@pytest.mark.parametrize("final", [None, ""])
def test_an_absent_final_text_contradicts_nothing(stream, final):
    grow(stream, "Hello")
    tally = Tally()
    assert stream.settle(final, tally) == []
    assert stream.text == "Hello"
    assert not tally


def test_a_contradicting_final_text_stands_and_emits_nothing(stream):
    grow(stream, "Hello")
    tally = Tally()
    assert stream.settle("Goodbye", tally) == []
    assert (stream.text, dict(tally)) == ("Goodbye", {"contradiction": 1})


def test_an_answer_too_long_is_refused():
    stream = Stream(lambda piece: TextDelta(0, piece), Bounds())
    grow(stream, "x" * MAX_ANSWER_BYTES)
    with pytest.raises(TurnError) as caught:
        grow(stream, "y")
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_a_final_text_too_long_is_refused(stream):
    with pytest.raises(TurnError) as caught:
        stream.settle("x" * (MAX_ANSWER_BYTES + 1), Tally())
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_adjacent_pieces_become_one_delta(stream):
    assert [*stream.add("a"), *stream.add("b"), *stream.add("c")] == []
    assert stream.text == ""
    assert texts(stream.merge()) == ["abc"]
    assert stream.text == "abc"
    assert stream.merge() == []


def test_pieces_merge_up_to_a_bound(stream):
    assert not stream.add("x" * (MERGE_CHARACTERS - 1))
    assert not stream.add("y")
    assert [len(delta) for delta in texts(stream.add("z"))] == [MERGE_CHARACTERS]
    assert texts(stream.merge()) == ["z"]


def test_a_piece_over_the_bound_is_merged_with_none(stream):
    assert not stream.add("x" * (MERGE_CHARACTERS + 1))
    assert [len(delta) for delta in texts(stream.add("y"))] == [MERGE_CHARACTERS + 1]
    assert texts(stream.merge()) == ["y"]


def test_pieces_that_are_refused_are_dropped(stream):
    grow(stream, "x" * (MAX_ANSWER_BYTES - 1))
    stream.add("y")
    stream.add("z")
    with pytest.raises(TurnError):
        stream.merge()
    assert stream.merge() == []
    assert len(stream.text) == MAX_ANSWER_BYTES - 1


def test_an_older_state_changes_nothing(stream):
    grow(stream, "Hello")
    tally = Tally()
    assert stream.settle("Hel", tally) == []
    assert (stream.text, dict(tally)) == ("Hello", {})


def test_a_closed_text_is_only_extended(stream):
    grow(stream, "Hello")
    tally = Tally()
    assert stream.settle("Goodbye", tally, closed=True) == []
    assert (stream.text, dict(tally)) == ("Hello", {"contradiction": 1})
    assert texts(stream.settle("Hello!", tally, closed=True)) == ["!"]


# Half a character


def test_two_halves_become_one_character(stream):
    assert texts(grow(stream, "a\ud83d")) == ["a"]
    assert texts(grow(stream, "\ude00b")) == ["\U0001f600b"]
    assert stream.text == "a\U0001f600b"


def test_half_a_character_waits_alone(stream):
    assert grow(stream, "\ud83d") == []
    assert stream.merge() == []
    assert texts(grow(stream, "\ude00")) == ["\U0001f600"]


@pytest.mark.parametrize(("pieces", "text"), [(["\ude00"], "\ufffd"), (["a\ud83d", "b"], "a\ufffdb")])
def test_half_a_character_without_the_other_is_replaced(stream, pieces, text):
    assert "".join(delta for piece in pieces for delta in texts(grow(stream, piece))) == text


def test_the_final_text_has_the_character_whole(stream):
    grow(stream, "a\ud83d")
    assert texts(stream.settle("a\U0001f600", Tally())) == ["\U0001f600"]
    assert texts(grow(stream, "b")) == ["b"]
