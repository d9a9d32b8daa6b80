"""The bounds of an answer, tested through the decoder."""

from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed
from service.domain.messages import ReasoningPart, TextPart, ToolCallPart
from service.wire import bounds
from service.wire.output_items import MAX_PHASE_CHARACTERS
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
    said,
    text_delta,
)


@pytest.fixture
def decoder(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_ANSWER_BYTES", 100)
    monkeypatch.setattr(bounds, "MAX_ITEMS", 4)
    monkeypatch.setattr(bounds, "MAX_PARTS", 4)
    monkeypatch.setattr(bounds, "MAX_NAME_BYTES", 40)
    decoder = ResponseDecoder(continuing=False)
    fed(decoder, created())
    return decoder


def refused(decoder, *frames):
    """Return the message of the error that the frames end with."""
    with pytest.raises(TurnError) as caught:
        fed(decoder, *frames)
    assert caught.value.reason is Reason.PROTOCOL_ERROR
    return caught.value.message


def thought(delta, paragraph=0):
    kind = "response.reasoning_summary_text.delta"
    return frame(kind, item_id="rs_1", output_index=0, summary_index=paragraph, delta=delta)


def test_the_defaults_fit_one_message_of_grpc():
    """At worst each part repeats an id and a phase, and has 64 bytes of frames around it."""
    repeated = bounds.MAX_PARTS * (MAX_PHASE_CHARACTERS * 4 + 64)
    assert 2 * bounds.MAX_ANSWER_BYTES + repeated < 64 * bounds.MEBIBYTE
    assert bounds.MAX_DELTA_CHARACTERS * 4 + bounds.MAX_NAME_BYTES * 2 < 4 * bounds.MEBIBYTE


def test_bytes_count_and_not_characters(decoder):
    fed(decoder, text_delta("é" * 40))
    assert "more than 100 bytes" in refused(decoder, text_delta("é" * 10))
    assert said(decoder) == (TextPart("é" * 40),)


def test_what_exceeds_the_bound_is_neither_emitted_nor_stored(decoder):
    events: list[Any] = []
    with pytest.raises(TurnError):
        decoder.feed([text_delta("a" * 60), added(1, message(item_id="m2")), text_delta("b" * 60)], events)
    assert [event.delta for event in events] == ["a" * 60]
    assert said(decoder) == (TextPart("a" * 60),)


def test_a_final_text_counts_only_what_it_adds(decoder):
    """Each id counts as often as it comes."""
    said = done(0, message("a" * 70))
    fed(decoder, text_delta("a" * 60), said, said, done(0, message("b" * 70)))
    assert isinstance(fed(decoder, ended(output=[message("b" * 70)]))[-1], Completed)


def test_a_longer_final_text_exceeds_the_bound(decoder):
    fed(decoder, text_delta("a" * 60))
    assert "more than 100 bytes" in refused(decoder, done(0, message("a" * 100)))


@pytest.mark.parametrize(
    "frames",
    [
        [added(0, call()), arguments_delta("x" * 100)],
        [thought("x" * 100)],
        [done(0, reasoning(encrypted_content="x" * 100))],
        [added(index, message(item_id=f"{index}" * 40)) for index in range(3)],
        [frame("response.refusal.delta", item_id="m", output_index=0, delta="x" * 100)],
    ],
    ids=["arguments", "reasoning", "sealed", "names", "refusal"],
)
def test_everything_counts(decoder, frames):
    assert "more than 100 bytes" in refused(decoder, *frames)


def test_encrypted_content_counts_once(decoder):
    sealed = reasoning(encrypted_content="x" * 60)
    fed(decoder, done(0, sealed), done(0, sealed))
    last = fed(decoder, ended(output=[sealed]))[-1]
    assert anonymous(last.message.parts) == (ReasoningPart("rs_1", (), "x" * 60),)


@pytest.mark.parametrize(
    "item",
    [message(item_id="x" * 41), call(call_id="x" * 41), call(name="é" * 21), call(item_id="x" * 41)],
)
def test_an_id_or_a_name_has_a_bound(decoder, item):
    """It is repeated in each delta."""
    assert "more than 40 bytes" in refused(decoder, added(0, item))


def test_an_unannounced_items_id_has_a_bound(decoder):
    assert "more than 40 bytes" in refused(decoder, text_delta("a", item_id="x" * 41))


def test_a_phase_that_is_none_is_dropped(decoder):
    """It is repeated in every part of its item."""
    fed(decoder, added(0, message(phase="x" * (MAX_PHASE_CHARACTERS + 1))), text_delta("a"))
    assert said(decoder) == (TextPart("a"),)


def test_items(decoder):
    fed(decoder, *(added(index, message(item_id=f"m{index}")) for index in range(4)))
    assert "more than 4 items" in refused(decoder, added(4, message(item_id="m4")))


def test_items_in_the_end_are_counted_before_they_are_read(decoder):
    assert "more than 4 items" in refused(decoder, ended(output=[{"type": "unknown"}] * 5))
    assert decoder.ignored == {}


def test_parts(decoder):
    fed(decoder, *(text_delta("a", content_index=index) for index in range(4)))
    assert "more than 4 parts" in refused(decoder, text_delta("a", content_index=4))


def test_paragraphs(decoder):
    fed(decoder, *(thought("a", paragraph) for paragraph in range(3)))
    assert "more than 4 parts" in refused(decoder, thought("a", 3))


@pytest.mark.parametrize(
    "item",
    [
        message() | {"content": [{"type": "output_text"}] * 5},
        reasoning(*"abcde"),
        reasoning() | {"content": [{"type": "reasoning_text"}] * 5},
    ],
)
def test_contents_and_paragraphs_are_counted_before_decoding(decoder, item):
    assert "in one list" in refused(decoder, done(0, item))


def test_the_first_failure_is_reported(decoder):
    """The deltas before the error exceed the bound, and so does the answer."""
    events: list[object] = []
    with pytest.raises(TurnError, match="more than 100 bytes"):
        decoder.feed([text_delta("a" * 101), frame("error", error={"code": "server_error"})], events)


def test_calls_of_one_answer_are_kept_by_name():
    decoder = ResponseDecoder(continuing=False)
    calls = [call(str(number), f"fc_{number}", f"call_{number}") for number in range(1000)]
    fed(decoder, created(), *(done(index, item) for index, item in enumerate(calls)))
    last = fed(decoder, ended(output=list(reversed(calls))))[-1]
    assert anonymous(last.message.parts) == tuple(
        ToolCallPart(f"call_{number}", "look", str(number)) for number in range(1000)
    )


def test_the_size_of_an_answer_is_always_known():
    decoder = ResponseDecoder(continuing=False)
    fed(decoder, created(), added(0, message(item_id="m")), text_delta("é" * 40, item_id="m"))
    assert decoder.size == 81


def test_progress_has_a_bound_of_its_own_and_fails_nothing(decoder):
    """Over it an event is passed on without its JSON."""
    fed(decoder, added(0, {"type": "search_call", "id": "s"}))
    searching = frame("response.search_call.searching", output_index=0)
    assert [event.json for event in fed(decoder, searching, searching)] == [searching, ""]
    assert isinstance(fed(decoder, ended())[-1], Completed)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "image_generation_call", "id": "i", "result": "x" * 100},
        message("a")
        | {"content": [{"type": "output_text", "text": "a", "annotations": [{"url": "x" * 100}]}]},
        call("{}") | {"namespace": "x" * 100},
    ],
    ids=["whole item", "citations", "keys"],
)
def test_what_an_item_brings_in_counts(decoder, item):
    assert "more than 100 bytes" in refused(decoder, done(0, item))


def test_citations_of_a_stream_count(decoder):
    cited = frame("response.output_text.annotation.added", output_index=0, annotation={"url": "x" * 100})
    assert "more than 100 bytes" in refused(decoder, text_delta("a"), cited)
