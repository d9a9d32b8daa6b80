import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Event, TextDelta
from service.wire.bounds import MAX_ANSWER_BYTES, MAX_DELTA_CHARACTERS, Bounds
from service.wire.streams import MERGE_CHARACTERS, Run, Stream
from service.wire.tally import Tally


@pytest.fixture
def stream():
    return Stream(lambda piece: TextDelta(0, piece), Bounds())


def texts(events):
    return [event.delta for event in events]


def test_each_piece_is_one_delta_and_an_empty_one_none(stream):
    assert texts(stream.grow("Hel")) == ["Hel"]
    assert stream.grow("") == []
    assert texts(stream.grow("lo")) == ["lo"]
    assert stream.text == "Hello"


def test_a_long_piece_is_cut_into_deltas_of_the_bound(stream):
    piece = "é" * (2 * MAX_DELTA_CHARACTERS + 1)
    deltas = texts(stream.grow(piece))
    assert [len(delta) for delta in deltas] == [MAX_DELTA_CHARACTERS, MAX_DELTA_CHARACTERS, 1]
    assert "".join(deltas) == piece


def test_the_final_text_adds_what_the_pieces_lacked(stream):
    stream.grow("Hel")
    assert texts(stream.settle("Hello", Tally())) == ["lo"]
    assert stream.settle("Hello", Tally()) == []


@pytest.mark.parametrize("final", [None, ""])
def test_an_absent_final_text_contradicts_nothing(stream, final):
    stream.grow("Hello")
    tally = Tally()
    assert stream.settle(final, tally) == []
    assert stream.text == "Hello"
    assert not tally


def test_a_contradicting_final_text_stands_and_emits_nothing(stream):
    stream.grow("Hello")
    tally = Tally()
    assert stream.settle("Goodbye", tally) == []
    assert (stream.text, dict(tally)) == ("Goodbye", {"contradiction": 1})


def test_an_answer_too_long_is_refused():
    stream = Stream(lambda piece: TextDelta(0, piece), Bounds())
    stream.grow("x" * MAX_ANSWER_BYTES)
    with pytest.raises(TurnError) as caught:
        stream.grow("y")
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_a_final_text_too_long_is_refused(stream):
    with pytest.raises(TurnError) as caught:
        stream.settle("x" * (MAX_ANSWER_BYTES + 1), Tally())
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_neighbouring_pieces_of_a_stream_become_one_delta(stream):
    events: list[Event] = []
    run = Run(events)
    for piece in ("a", "b", "c"):
        run.add(stream, piece)
    assert events == []
    run.end()
    run.end()
    assert texts(events) == ["abc"]


def test_another_stream_ends_the_run(stream):
    events: list[Event] = []
    run = Run(events)
    other = Stream(lambda piece: TextDelta(1, piece), Bounds())
    for one, piece in ((stream, "a"), (other, "b"), (stream, "c")):
        run.add(one, piece)
    run.end()
    assert texts(events) == ["a", "b", "c"]


def test_a_merged_delta_never_exceeds_its_bound(stream):
    events: list[Event] = []
    run = Run(events)
    run.add(stream, "x" * MERGE_CHARACTERS)
    run.add(stream, "y")
    run.end()
    assert [len(delta) for delta in texts(events)] == [MERGE_CHARACTERS, 1]
