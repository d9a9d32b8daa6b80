import json

import msgspec
import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Usage
from service.wire.frames import Frame, Item, read_frame, read_item, read_object, read_response, read_usage

UNDERSTOOD = {"known"}


def raw(value):
    return msgspec.Raw(json.dumps(value).encode())


def test_only_what_is_needed_is_read():
    frame = read_frame(
        '{"type":"known","delta":"a","output_index":1,"logprobs":[{}],"new":{"deep":[1]}}', UNDERSTOOD
    )
    assert frame == Frame(type="known", delta="a", output_index=1)


def test_null_is_nothing():
    text = json.dumps(
        {"type": "known"}
        | dict.fromkeys(("delta", "item_id", "output_index", "sequence_number", "stream_id"))
    )
    assert read_frame(text, UNDERSTOOD) == Frame(type="known")


def test_what_is_not_understood_may_have_any_shape():
    assert read_frame('{"type":"new","delta":{"a":1},"output_index":"x"}', UNDERSTOOD) == Frame(type="new")


@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "nothing", "[]", "1", "null", '"known"', '{"type":1}', '{"type":null}', '{"a":1}x', "\ud800",
        '{"type":"known","delta":{}}', '{"type":"a","x":' + "[" * 5000 + "]" * 5000 + "}",
        b'{"type":"known"}', b"\xff",
    ],
)  # fmt: skip
def test_nonsense_is_told(frame):
    with pytest.raises(TurnError, match="the upstream sent a") as caught:
        read_frame(frame, UNDERSTOOD)
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_an_object_is_read_whole():
    assert read_object('{"a":[1]}') == {"a": [1]}
    with pytest.raises(TurnError):
        read_object("[]")


def test_a_response_that_is_not_there_is_empty():
    assert read_response(msgspec.Raw()) == read_response(msgspec.Raw(b"null"))
    with pytest.raises(TurnError, match="a response that makes no sense"):
        read_response(msgspec.Raw(b'{"id":1}'))


def test_items_of_other_kinds_are_not_looked_at():
    assert read_item(raw({"type": "tool_search_call", "arguments": {"a": 1}})) == "tool_search_call"
    assert read_item(msgspec.Raw()) == ""
    assert read_item(raw({"type": "message", "id": "m"})) == Item("message", "m")
    with pytest.raises(TurnError, match="a function_call that makes no sense"):
        read_item(raw({"type": "function_call", "arguments": {}}))


def test_original_fault_cached_tokens_always_0():
    told = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 120,
    }
    assert read_usage(raw(told)) == Usage(100, 60, 30, 20, 5, 120)


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 0, 0, 4, 0, 7)),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Usage(3, 2, 0, 4, 1, 7),
        ),
        ({"input_tokens": 3, "output_tokens": 4, "total_tokens": 0}, Usage(3, 0, 0, 4, 0, 7)),
        (
            {
                "input_tokens": 3,
                "input_tokens_details": None,
                "output_tokens": None,
                "output_tokens_details": None,
            },
            Usage(3, 0, 0, 0, 0, 3),
        ),
        ({"input_tokens": 3, "input_tokens_details": {"cached_tokens": None}}, Usage(3, 0, 0, 0, 0, 3)),
        ({}, Usage()),
        (None, None),
        ("many", None),
        ({"input_tokens": -1}, None),
        ({"input_tokens": 2**60}, None),
    ],
)
def test_usage_by_any_name(told, usage):
    assert read_usage(raw(told)) == usage


def test_usage_that_was_not_told():
    assert read_usage(msgspec.Raw()) is None
