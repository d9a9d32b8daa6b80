"""How pieces become parts, tested through the decoder."""

import pytest

from service.domain.events import ReasoningDelta, ReasoningKind, RefusalDelta, TextDelta, ToolCallDelta
from service.domain.messages import ReasoningPart, RefusalPart, TextPart, ToolCallPart
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
def decoder():
    decoder = ResponseDecoder(continuing=False)
    fed(decoder, created())
    return decoder


def feed(decoder, *frames):
    return fed(decoder, *frames)


def parts(decoder, *frames):
    """The parts of the message that the frames end with."""
    return anonymous(feed(decoder, *frames)[-1].message.parts)


def test_text(decoder):
    events = feed(decoder, added(0, message()), text_delta("Hel"), text_delta("lo"))
    assert events == [TextDelta(0, "Hel"), TextDelta(0, "lo")]
    assert parts(decoder, done(0, message("Hello")), ended()) == (TextPart("Hello"),)


def test_refusal_beside_text(decoder):
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 1}
    events = feed(
        decoder,
        added(0, message()),
        text_delta("well"),
        frame("response.refusal.delta", delta="n", **where),
        frame("response.refusal.done", refusal="no", **where),
    )
    assert events == [TextDelta(0, "well"), RefusalDelta(1, "n"), RefusalDelta(1, "o")]
    said = message("well")
    said["content"] += [{"type": "refusal", "refusal": "no!"}, {"type": "hologram"}]
    assert fed(decoder, done(0, said)) == [RefusalDelta(1, "!")]
    assert parts(decoder, ended()) == (TextPart("well"), RefusalPart("no!"))
    assert decoder.ignored == {"content:hologram": 1}


@pytest.mark.parametrize("where", ["added", "done", "output"])
def test_the_phase_may_come_late(decoder, where):
    phases = {one: {"phase": "commentary"} if one == where else {} for one in ("added", "done", "output")}
    said = parts(
        decoder,
        added(0, message(**phases["added"])),
        text_delta("hi"),
        done(0, message("hi", **phases["done"])),
        ended(output=[message("hi", **phases["output"])]),
    )
    assert said == (TextPart("hi", "commentary"),)


def test_two_phases_in_one_answer(decoder):
    output = [message("a", "m1", phase="commentary"), message("b", "m2", phase="final_answer")]
    assert parts(decoder, ended(output=output)) == (
        TextPart("a", "commentary"),
        TextPart("b", "final_answer"),
    )


SUFFIXES = [
    (
        (added(0, message()), text_delta("Hel")),
        "response.output_text.done",
        {"text": "Hello"},
        TextDelta(0, "lo"),
    ),
    (
        (added(0, message()),),
        "response.output_text.done",
        {"text": "Hello"},
        TextDelta(0, "Hello"),
    ),
    ((), "response.output_text.done", {"text": "Hello"}, TextDelta(0, "Hello")),
    ((), "response.refusal.done", {"content_index": 0, "refusal": "no"}, RefusalDelta(0, "no")),
    (
        (added(0, call()), arguments_delta('{"a"')),
        "response.function_call_arguments.done",
        {"arguments": '{"a":1}'},
        ToolCallDelta(0, ":1}", "call_1", "look"),
    ),
    ((), "response.reasoning_summary_text.done", {"summary_index": 0, "text": "hm"}, ReasoningDelta(0, "hm")),
    (
        (),
        "response.reasoning_text.done",
        {"content_index": 0, "text": "hm"},
        ReasoningDelta(0, "hm", ReasoningKind.TEXT),
    ),
]


@pytest.mark.parametrize(("before", "kind", "fields", "delta"), SUFFIXES)
def test_text_missing_from_the_deltas_is_emitted_once(decoder, before, kind, fields, delta):
    feed(decoder, *before)
    last_word = frame(kind, output_index=0, **fields)
    assert fed(decoder, last_word) == [delta]
    assert fed(decoder, last_word) == []
    assert not decoder.ignored


def test_the_final_text_wins_over_contradicting_deltas(decoder):
    feed(decoder, added(0, message()), text_delta("wrong"))
    assert fed(decoder, done(0, message("right"))) == []
    assert parts(decoder, ended(output=[message("right")])) == (TextPart("right"),)
    assert decoder.ignored == {"contradiction": 1}


def test_a_server_that_repeats_nothing_contradicts_nothing(decoder):
    feed(
        decoder,
        added(0, call()),
        arguments_delta('{"a":1}'),
        frame("response.function_call_arguments.done", output_index=0, arguments=""),
        done(0, call("")),
    )
    assert parts(decoder, ended(output=[call(None)])) == (ToolCallPart("call_1", "look", '{"a":1}'),)
    assert not decoder.ignored


def test_an_empty_text_is_a_part_once_announced(decoder):
    assert (
        feed(
            decoder,
            added(0, message()),
            text_delta(""),
            frame("response.output_text.done", output_index=0, text=""),
        )
        == []
    )
    assert said(decoder) is None
    assert fed(decoder, done(0, message(""))) == []
    assert parts(decoder, ended()) == (TextPart(""),)


def test_reasoning_is_one_part_of_several_paragraphs(decoder):
    where = {"item_id": "rs_1", "output_index": 0}
    events = feed(
        decoder,
        added(0, reasoning(encrypted_content="incompl")),
        frame("response.reasoning_summary_text.delta", summary_index=0, delta="one", **where),
        frame("response.reasoning_summary_text.delta", summary_index=1, delta="two", **where),
        frame("response.reasoning_text.delta", content_index=0, delta="full", **where),
        done(
            0,
            reasoning(
                "one",
                "two!",
                encrypted_content="sealed",
                content=[{"type": "reasoning_text", "text": "full"}],
            ),
        ),
    )
    assert events == [
        ReasoningDelta(0, "one"),
        ReasoningDelta(0, "two"),
        ReasoningDelta(0, "full", ReasoningKind.TEXT),
        ReasoningDelta(0, "!"),
    ]
    assert parts(decoder, ended()) == (ReasoningPart("rs_1", ("one", "two!"), "sealed", ("full",)),)


def test_encrypted_reasoning_without_text_is_a_part(decoder):
    assert feed(decoder, added(0, reasoning()), done(0, reasoning(encrypted_content="sealed"))) == []
    assert feed(decoder, added(1, message()), text_delta("hi", 1)) == [TextDelta(1, "hi")]
    output = [reasoning(), message("hi")]
    assert parts(decoder, ended(output=output)) == (ReasoningPart("rs_1", (), "sealed"), TextPart("hi"))


def test_reasoning_has_its_place_where_it_was_announced(decoder):
    """Its encrypted content may come after everything else."""
    feed(decoder, added(0, reasoning()))
    assert said(decoder) is None
    assert feed(decoder, added(1, message()), text_delta("hi", 1)) == [TextDelta(1, "hi")]
    feed(decoder, done(1, message("hi")), done(0, reasoning(encrypted_content="sealed")))
    assert parts(decoder, ended()) == (ReasoningPart("rs_1", (), "sealed"), TextPart("hi"))


# Tool calls


def test_arguments_are_passed_on_as_they_are(decoder):
    feed(decoder, added(0, call()), arguments_delta('{"broken": '), done(0, call('{"broken": ')))
    assert parts(decoder, ended()) == (ToolCallPart("call_1", "look", '{"broken": '),)


def test_two_calls_at_once(decoder):
    one, other = call(), call("", "fc_2", "call_2", "go")
    events = feed(
        decoder,
        added(0, one),
        added(1, other),
        arguments_delta("a"),
        arguments_delta("b", 1, "fc_2"),
        arguments_delta("c"),
    )
    assert [(event.content_index, event.call_id, event.name, event.delta) for event in events] == [
        (0, "call_1", "look", ""),
        (1, "call_2", "go", ""),
        (0, "call_1", "look", "a"),
        (1, "call_2", "go", "b"),
        (0, "call_1", "look", "c"),
    ]


@pytest.mark.parametrize("how", ["not done", "done", "output", "both", "in progress"])
def test_a_truncated_call_is_left_out(decoder, how):
    feed(decoder, added(0, message()), text_delta("hi"), added(1, call()), arguments_delta('{"a', 1))
    cut = call('{"a', status="in_progress" if how == "in progress" else "incomplete")
    if how in ("done", "both", "in progress"):
        feed(decoder, done(1, cut))
    assert said(decoder) == (TextPart("hi"),)
    output = [message("hi"), cut] if how in ("output", "both") else []
    assert parts(decoder, ended("response.incomplete", output=output)) == (TextPart("hi"),)


def test_a_call_that_was_done_is_whole_whatever_follows(decoder):
    feed(decoder, added(0, call()), arguments_delta("{}"), done(0, call("{}", status="completed")))
    assert said(decoder) == (ToolCallPart("call_1", "look", "{}"),)
    assert parts(decoder, ended("response.incomplete")) == (ToolCallPart("call_1", "look", "{}"),)


def test_a_completed_response_completes_its_calls(decoder):
    feed(decoder, added(0, call()), arguments_delta("{}"))
    assert said(decoder) is None
    assert parts(decoder, ended()) == (ToolCallPart("call_1", "look", "{}"),)


def test_a_call_without_call_id_waits_for_it(decoder):
    nameless = call(call_id=None, name=None)
    assert feed(decoder, added(0, nameless), arguments_delta("{}")) == []
    events = feed(decoder, done(0, call("{}")))
    assert events == [ToolCallDelta(0, "", "call_1", "look"), ToolCallDelta(0, "{}", "call_1", "look")]


@pytest.mark.parametrize("last_word", [[done(0, call("{}", call_id=None))], []])
def test_a_call_without_call_id_gets_one(decoder, last_word):
    end = ended(output=[call("{}", call_id="")])
    assert parts(decoder, *last_word, end) == (ToolCallPart("fc_1", "look", "{}"),)


def test_a_call_without_any_id_gets_one_of_its_own(decoder):
    calls = [call("{}", item_id=None, call_id=None), call("[]", item_id=None, call_id="")]
    assert parts(decoder, ended(output=calls)) == (
        ToolCallPart("call_resp_1_0", "look", "{}"),
        ToolCallPart("call_resp_1_1", "look", "[]"),
    )


def test_a_call_may_get_its_name_late(decoder):
    feed(decoder, added(0, call(name=None)), done(0, call("{}")))
    assert parts(decoder, ended()) == (ToolCallPart("call_1", "look", "{}"),)
