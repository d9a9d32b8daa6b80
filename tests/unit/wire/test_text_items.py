"""Messages and reasoning, tested through the decoder."""

import json

import pytest

from service.domain.events import ItemProgress, ReasoningDelta, TextDelta
from service.domain.messages import ReasoningPart, RefusalPart, TextPart
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import (
    added,
    anonymous,
    created,
    done,
    ended,
    fed,
    frame,
    message,
    reasoning,
    text_delta,
)

CITED = {"type": "url_citation", "url": "https://a.example"}


@pytest.fixture
def decoder():
    decoder = ResponseDecoder(continuing=False)
    fed(decoder, created())
    return decoder


def parts(decoder, *frames):
    return anonymous(fed(decoder, *frames)[-1].message.parts)


def saying(*contents, **fields):
    return {"type": "message", "id": "msg_1", "role": "assistant", "content": list(contents), **fields}


def text(words, **fields):
    return {"type": "output_text", "text": words, **fields}


def test_citations_and_log_probabilities_stand_on_their_text(decoder):
    said = saying(text("a", annotations=[CITED], logprobs=[{"token": "a"}]), text("b", annotations=[]))
    assert parts(decoder, done(0, said), ended()) == (
        TextPart("a", "", json.dumps([CITED]), json.dumps([{"token": "a"}])),
        TextPart("b"),
    )


@pytest.mark.parametrize("annotations", [None, [], {}, "none", "[ ]"])
def test_no_citations_are_none(decoder, annotations):
    said = saying(text("a", annotations=annotations, logprobs=annotations))
    assert parts(decoder, done(0, said), ended()) == (TextPart("a"),)


def test_a_list_of_blanks_has_no_citations(decoder):
    blank = json.dumps(saying(text("a", annotations=[]))).replace("[]", "[  ]")
    assert parts(
        decoder, f'{{"type":"response.output_item.done","output_index":0,"item":{blank}}}', ended()
    ) == (TextPart("a"),)


def test_a_citation_is_reported_at_once_and_kept(decoder):
    """Some servers do not repeat it."""
    cited = frame(
        "response.output_text.annotation.added",
        item_id="msg_1",
        output_index=0,
        content_index=0,
        annotation=CITED,
    )
    nothing = frame("response.output_text.annotation.added", item_id="msg_1", output_index=0, annotation=None)
    elsewhere = frame(
        "response.output_text.annotation.added", output_index=0, content_index=5, annotation=CITED
    )
    fed(decoder, added(0, message()), text_delta("a"))
    assert fed(decoder, cited) == [ItemProgress(0, "message", "response.output_text.annotation.added", cited)]
    fed(decoder, nothing, elsewhere)
    assert parts(decoder, done(0, message("a")), ended()) == (TextPart("a", "", json.dumps([CITED])),)


def test_the_citations_of_the_final_text_win(decoder):
    cited = frame("response.output_text.annotation.added", output_index=0, annotation={"old": 1})
    fed(decoder, text_delta("a"), cited)
    said = saying(text("a", annotations=[CITED]))
    assert parts(decoder, done(0, said), ended())[0].annotations_json == json.dumps([CITED])


def test_progress_of_a_message_without_text_is_counted(decoder):
    cited = frame("response.output_text.annotation.added", output_index=0, annotation=CITED)
    assert fed(decoder, added(0, message()), cited) == []
    assert decoder.ignored == {"response.output_text.annotation.added": 1}


def test_texts_that_were_streamed_as_one_stay_one(decoder):
    delta = frame("response.output_text.delta", output_index=0, delta="ab")
    said = saying(text("ab"), {"type": "refusal", "refusal": "no"}, text("c"))
    events = fed(decoder, delta, done(0, said))
    assert [event.delta for event in events] == ["ab", "c", "no"]
    assert parts(decoder, ended()) == (TextPart("abc"), RefusalPart("no"))


def test_paragraphs_that_were_streamed_as_one_are_split_at_the_end(decoder):
    delta = frame("response.reasoning_summary_text.delta", output_index=0, delta="one")
    assert fed(decoder, delta, done(0, reasoning("one", "two"))) == [
        ReasoningDelta(0, "one"),
        ReasoningDelta(0, "two"),
    ]
    assert parts(decoder, ended()) == (ReasoningPart("rs_1", ("one", "two")),)


def test_paragraphs_that_contradict_are_final(decoder):
    delta = frame("response.reasoning_summary_text.delta", output_index=0, delta="other")
    fed(decoder, delta, done(0, reasoning("one", "two")))
    assert decoder.ignored == {"contradiction": 1}
    again = reasoning("three", "four")
    assert parts(decoder, ended(output=[again])) == (ReasoningPart("rs_1", ("one", "two")),)


def test_only_the_first_part_has_the_keys_of_its_item(decoder):
    said = saying(text("a"), text("b"), {"type": "refusal", "refusal": "c"}, mood="calm")
    one, two, three = fed(decoder, done(0, said), ended())[-1].message.parts
    assert (one.extra_json, two.extra_json, three.extra_json) == ('{"mood":"calm"}', "", "")
    assert (one.item_id, two.item_id, three.item_id) == ("msg_1",) * 3


def test_a_closed_item_only_learns_what_it_lacked(decoder):
    fed(decoder, done(0, saying(text("a"), phase="commentary")))
    later = saying(text("a!", annotations=[CITED]), id="other", phase="final_answer", mood="calm")
    events = fed(decoder, ended(output=[later]))
    assert events[0] == TextDelta(0, "!")
    assert events[-1].message.parts == (
        TextPart("a!", "commentary", json.dumps([CITED]), "", "msg_1", '{"mood":"calm"}'),
    )


def test_a_seal_is_not_broken(decoder):
    fed(decoder, done(0, reasoning(encrypted_content="first")))
    output = [reasoning("late", encrypted_content="first", item_id="rs_1")]
    assert parts(decoder, ended(output=output)) == (ReasoningPart("rs_1", ("late",), "first"),)
