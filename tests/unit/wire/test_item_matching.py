"""How the final output is matched to what was streamed, tested through the decoder."""

import pytest

from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import (
    added,
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


def texts(decoder, *output):
    end = fed(decoder, ended(output=list(output)))[-1]
    return [
        getattr(part, "text", None) or getattr(part, "arguments", None) or part.json
        for part in end.message.parts
    ]


def test_names_come_first(decoder):
    fed(decoder, done(0, message("a", "m1")), done(1, message("b", "m2")))
    assert texts(decoder, message("b!", "m2"), message("a!", "m1")) == ["a!", "b!"]


def test_content_comes_before_order(decoder):
    fed(decoder, done(0, message("a", "m1")), done(1, message("b", "m2")))
    assert texts(decoder, message("b", "x1"), message("a", "x2"), message("c", "x3")) == ["a", "b", "c"]


def test_order_decides_where_nothing_else_does(decoder):
    fed(decoder, text_delta("a", 0, "m1"), done(1, message("b", "m2")))
    assert texts(decoder, message("a, longer", "x1"), message("b, longer", "x2")) == [
        "a, longer",
        "b, longer",
    ]


def test_a_call_of_other_arguments_or_of_another_tool_is_another_call(decoder):
    fed(decoder, done(0, call('{"a":1}', "f1", "c1")))
    output = [call('{"b":2}', "f2", "c2"), call('{"a":1}', "f3", "c3", name="go")]
    assert texts(decoder, *output) == ['{"a":1}', '{"b":2}', '{"a":1}']


def test_an_older_state_of_a_call_under_another_name_is_the_call(decoder):
    fed(decoder, added(0, call("", "f1", "c1")), arguments_delta('{"a":1}', 0, "f1"))
    assert texts(decoder, call('{"a"', "f2", "c2")) == ['{"a":1}']


def test_of_two_of_one_name_the_content_decides(decoder):
    fed(decoder, *(done(index, message(words, "same")) for index, words in enumerate("ab")))
    assert texts(decoder, message("b", "same"), message("a", "same"), message("c", "same")) == ["a", "b", "c"]


def test_each_is_matched_once(decoder):
    fed(decoder, done(0, message("a", "m1")))
    assert texts(decoder, message("a", "m1"), message("a", "m1")) == ["a", "a"]


def test_items_without_a_part_are_matched_without_their_ids(decoder):
    fed(decoder, done(1, {"type": "web_search_call", "id": "w2", "query": "b"}))
    output = [{"type": "web_search_call", "id": f"x{query}", "query": query} for query in "ab"]
    assert [text[-3] for text in texts(decoder, *output)] == ["b", "a"]
