import json

import msgspec
import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Usage
from service.wire.server_events import (
    LARGE_BYTES,
    Item,
    Response,
    ServerEvent,
    decode,
    read_item,
    read_object,
    read_output,
    read_usage,
)

UNDERSTOOD = {"known"}


def raw(value):
    return msgspec.Raw(json.dumps(value).encode())


def test_only_what_is_needed_is_read():
    event = decode(
        '{"type":"known","delta":"a","output_index":1,"logprobs":[{}],"new":{"deep":[1]}}', UNDERSTOOD
    )
    assert event == ServerEvent(type="known", delta="a", output_index=1)


def test_null_is_nothing():
    text = json.dumps(
        {"type": "known"}
        | dict.fromkeys(("delta", "item_id", "output_index", "sequence_number", "stream_id"))
    )
    assert decode(text, UNDERSTOOD) == ServerEvent(type="known")


def test_unknown_events_may_have_any_shape():
    assert decode('{"type":"new","delta":{"a":1},"output_index":"x"}', UNDERSTOOD) == ServerEvent(type="new")


@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "nothing", "[]", "1", "null", '"known"', '{"type":1}', '{"type":null}', '{"a":1}x', "\ud800",
        '{"type":"known","delta":{}}', '{"type":"a","x":' + "[" * 5000 + "]" * 5000 + "}",
        b'{"type":"known"}', b"\xff",
    ],
)  # fmt: skip
def test_an_invalid_frame_is_reported(frame):
    with pytest.raises(TurnError, match="the upstream sent a") as caught:
        decode(frame, UNDERSTOOD)
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_an_object_is_read_whole():
    assert read_object('{"a":[1]}') == {"a": [1]}
    with pytest.raises(TurnError):
        read_object("[]")


def test_a_response_is_read_with_its_frame():
    assert decode('{"type":"known","response":null}', UNDERSTOOD).response is None
    read = decode('{"type":"known","response":{"id":"r","x":[1],"output":[]}}', UNDERSTOOD)
    assert read.response == Response("r", output=msgspec.Raw(b"[]"))
    with pytest.raises(TurnError, match="a malformed known"):
        decode('{"type":"known","response":{"id":1}}', UNDERSTOOD)


def test_an_output_is_a_list_or_nothing():
    assert read_output(msgspec.Raw()) == read_output(msgspec.Raw(b"null")) == []
    assert read_output(msgspec.Raw(b"[{},1]")) == [msgspec.Raw(b"{}"), msgspec.Raw(b"1")]
    with pytest.raises(TurnError, match="an invalid output"):
        read_output(msgspec.Raw(b"{}"))


@pytest.mark.parametrize("value", ["{}", '""', '[["a,b"]]'])
def test_too_many_values_are_refused_before_decoding(value):
    many = msgspec.Raw(f"[{','.join([value] * 200_002)}]".encode())
    with pytest.raises(TurnError, match="more than 200000 values"):
        read_output(many)
    with pytest.raises(TurnError, match="more than 200000 values"):
        read_item(many)


def test_commas_in_a_long_text_are_no_values():
    text = ', \\"' * LARGE_BYTES
    item = read_item(raw({"type": "message", "content": [{"type": "output_text", "text": text}]}))
    assert isinstance(item, Item)
    assert item.content is not None
    assert item.content[0].text == text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_become_null(number):
    read = decode(f'{{"type":"known","delta":"NaN","output_index":{number}}}', UNDERSTOOD)
    assert read == ServerEvent(type="known", delta="NaN")


@pytest.mark.parametrize("frame", ['{"type":"NaN"', '{"a":"NaN","b":\\u1}', '{"NaN":' + "[" * 100_000])
def test_nan_in_other_invalid_json_is_not_repaired(frame):
    with pytest.raises(TurnError, match="not JSON"):
        decode(frame, UNDERSTOOD)


@pytest.mark.parametrize(
    "half", [r"\ud800", r"a\uD800b", r"\udc00", r"\ud83dx", r"\ud83d\u0041", r"\ud83d\ude00\ude00"]
)
def test_a_lone_surrogate_is_named_in_the_error(half):
    with pytest.raises(TurnError, match="half a character"):
        decode(f'{{"type":"known","delta":"{half}"}}', UNDERSTOOD)


def test_items_of_unknown_kinds_are_not_decoded():
    assert read_item(raw({"type": "tool_search_call", "arguments": {"a": 1}})) == "tool_search_call"
    assert read_item(msgspec.Raw()) == ""
    assert read_item(raw({"type": "message", "id": "m"})) == Item("message", "m")
    with pytest.raises(TurnError, match="an invalid function_call"):
        read_item(raw({"type": "function_call", "arguments": {}}))
    with pytest.raises(TurnError, match="an invalid item"):
        read_item(msgspec.Raw(rb'{"type":"message","id":"\ud800"}'))


def test_original_fault_cached_tokens_always_0():
    reported = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 120,
    }
    assert read_usage(raw(reported)) == Usage(100, 60, 30, 20, 5, 120)


@pytest.mark.parametrize(
    ("reported", "usage"),
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
        ({"input_tokens": -1, "output_tokens": 4}, Usage(0, 0, 0, 4, 0, 4)),
        ({"input_tokens": 2**60, "output_tokens": 4}, Usage(0, 0, 0, 4, 0, 4)),
        ({"input_tokens": 1.5, "prompt_tokens": 3, "total_tokens": "x"}, Usage(3, 0, 0, 0, 0, 3)),
        ({"input_tokens": 3, "input_tokens_details": 5}, Usage(3, 0, 0, 0, 0, 3)),
        (
            {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": -1}},
            Usage(3, 2, 0, 0, 0, 3),
        ),
        ({"input_tokens": -1, "x": "x" * LARGE_BYTES}, Usage()),
    ],
)
def test_usage_by_any_name(reported, usage):
    assert read_usage(raw(reported)) == usage


def test_a_number_over_all_bounds_is_dropped():
    assert read_usage(msgspec.Raw(b'{"input_tokens":1e400,"output_tokens":4}')) == Usage(0, 0, 0, 4, 0, 4)


def test_missing_usage_is_none():
    assert read_usage(msgspec.Raw()) is None
