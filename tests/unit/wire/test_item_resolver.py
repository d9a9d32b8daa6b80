"""Which item an event belongs to where its evidence is thin, tested through the decoder.

`test_dialects` has the property; these are its corners.
"""

import pytest

from service.domain.events import TextDelta
from service.domain.messages import TextPart, ToolCallPart
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
    message,
    text_delta,
)


@pytest.fixture
def decoder():
    decoder = ResponseDecoder(continuing=False)
    fed(decoder, created())
    return decoder


def parts(decoder, *frames):
    return anonymous(fed(decoder, *frames)[-1].message.parts)


def arguments(decoder, *frames):
    return [part.arguments for part in parts(decoder, *frames)]


def test_two_parallel_calls_of_one_call_id(decoder):
    calls = [call("", f"fc_{number}", "same") for number in (0, 1)]
    whole = [item | {"arguments": f"{{{number}}}"} for number, item in enumerate(calls)]
    fed(decoder, *(added(number, item) for number, item in enumerate(calls)))
    fed(decoder, arguments_delta("{1", 1, "fc_1"), arguments_delta("{0", 0, "fc_0"))
    assert arguments(decoder, *(done(n, item) for n, item in enumerate(whole)), ended(output=whole)) == [
        "{0}",
        "{1}",
    ]


def test_a_call_id_in_place_of_an_item_id(decoder):
    calls = [call("", None, f"call_{number}") for number in (0, 1)]
    fed(decoder, *(added(None, item) for item in calls))
    fed(decoder, arguments_delta("a", None, "call_0"), arguments_delta("b", None, "call_1"))
    assert arguments(decoder, ended()) == ["a", "b"]


def test_a_name_outweighs_the_index(decoder):
    """Some servers send index 0 always."""
    fed(decoder, added(0, message(item_id="a")), added(1, message(item_id="b")))
    assert fed(decoder, text_delta("x", 0, "b"), text_delta("y", 0, "a")) == [
        TextDelta(0, "x"),
        TextDelta(1, "y"),
    ]
    assert parts(decoder, done(0, message("x", "b")), done(0, message("y", "a")), ended()) == (
        TextPart("x"),
        TextPart("y"),
    )


def test_an_index_decides_between_two_of_one_name(decoder):
    fed(decoder, added(0, message(item_id="same")), added(1, message(item_id="same")))
    fed(decoder, text_delta("x", 0, "same"), text_delta("y", 1, "same"), text_delta("!", 0, "same"))
    assert parts(decoder, ended()) == (TextPart("x!"), TextPart("y"))


def test_two_of_one_name_elsewhere_than_the_index_says(decoder):
    fed(decoder, added(0, message(item_id="same")), added(1, message(item_id="same")))
    fed(decoder, text_delta("x", 7, "same"))
    assert parts(decoder, ended()) == (TextPart("x"),)


def test_an_index_that_came_late_is_learnt(decoder):
    fed(decoder, added(None, message(item_id="a")))
    assert fed(decoder, text_delta("x", 3, "b"), text_delta("y", 3, "c")) == [
        TextDelta(0, "x"),
        TextDelta(0, "y"),
    ]
    assert parts(decoder, done(3, message("xy", "d")), ended()) == (TextPart("xy"),)


def test_an_index_that_came_with_the_end_is_learnt(decoder):
    fed(decoder, added(None, call()), arguments_delta("{}", None))
    assert arguments(decoder, done(2, call("{}")), done(2, call("{}")), ended()) == ["{}"]


def test_an_end_at_another_index_is_of_another_item_unless_its_content_agrees(decoder):
    fed(decoder, added(0, message(item_id="same")), text_delta("first", 0, "same"))
    assert parts(
        decoder, done(2, message("second", "same")), done(5, message("first!", "same")), ended()
    ) == (
        TextPart("first!"),
        TextPart("second"),
    )


def test_a_call_of_other_arguments_at_an_index_is_another_call(decoder):
    fed(decoder, added(0, call()), arguments_delta("{1"))
    assert arguments(decoder, done(0, call("{2}", "fc_2", "call_2")), ended(output=[])) == ["{1", "{2}"]


def test_an_end_is_repeated_without_an_index(decoder):
    said = done(None, message("a"))
    assert parts(decoder, said, said, done(None, message("b")), ended()) == (TextPart("a"), TextPart("b"))


def test_a_new_item_at_the_index_of_a_closed_one(decoder):
    """Some servers send index 0 always, and no ids."""
    for words in ("a", "b"):
        fed(
            decoder,
            added(0, message(item_id=None)),
            text_delta(words, 0, None),
            done(0, message(words, None)),
        )
    assert parts(decoder, ended(output=[message("a", None), message("b", None)])) == (
        TextPart("a"),
        TextPart("b"),
    )
    assert not decoder.ignored


def test_deltas_of_another_kind_than_the_item_at_their_index(decoder):
    fed(decoder, added(0, message()), added(0, call()), arguments_delta("{}", 0, None))
    assert fed(decoder, text_delta("a", 0, None)) == [TextDelta(1, "a")]


def test_a_later_announcement_of_a_closed_item_is_a_repetition(decoder):
    fed(decoder, done(0, message("a")), added(0, message()), text_delta("b"))
    assert decoder.ignored == {"late": 1}
    assert parts(decoder, ended()) == (TextPart("a"),)


def test_deltas_before_the_announcement(decoder):
    fed(decoder, text_delta("a", None, None), added(None, message()), text_delta("b", None, "msg_1"))
    assert parts(decoder, ended()) == (TextPart("ab"),)


def test_a_delta_for_what_was_closed_under_its_name_is_late(decoder):
    fed(decoder, done(None, message("a")), text_delta("b", None, "msg_1"))
    assert decoder.ignored == {"late": 1}


def test_many_items_of_one_name_take_no_quadratic_time(decoder):
    calls = [call(str(number), "same", "same") for number in range(2000)]
    fed(decoder, *(added(number, item | {"arguments": ""}) for number, item in enumerate(calls)))
    fed(decoder, *(done(number, item) for number, item in enumerate(calls)))
    end = fed(decoder, ended(output=[*calls[:-1], call("other", "x", "y")]))[-1]
    assert [part.arguments for part in end.message.parts] == [*map(str, range(2000)), "other"]
    assert isinstance(end.message.parts[0], ToolCallPart)
