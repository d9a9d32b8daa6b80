import json
from typing import Any

import msgspec
import pytest

from service.domain.errors import TurnError
from service.wire.item_json import Item, read_item, read_output
from service.wire.lenient import LARGE_BYTES
from service.wire.tally import Tally


def raw(value):
    return msgspec.Raw(json.dumps(value).encode())


def read(value, **skipped):
    """Read an item of which this much is skipped."""
    ignored = Tally()
    item = read_item(raw(value), ignored)
    assert ignored == skipped.get("skipped", {})
    return item


def test_an_output_is_a_list_or_nothing():
    ignored = Tally()
    assert read_output(msgspec.Raw(), ignored) == read_output(msgspec.Raw(b"null"), ignored) == []
    assert [bytes(one) for one in read_output(msgspec.Raw(b"[{},1]"), ignored)] == [b"{}", b"1"]
    assert [bytes(one) for one in read_output(msgspec.Raw(b'{"a":1}'), ignored)] == [b'{"a":1}']
    assert not ignored
    assert read_output(msgspec.Raw(b"3"), ignored) == []
    assert ignored == {"field:output": 1}


@pytest.mark.parametrize("value", ["{}", '""', '[["a,b"]]'])
def test_too_many_values_are_refused_before_decoding(value):
    many = msgspec.Raw(f"[{','.join([value] * 200_002)}]".encode())
    with pytest.raises(TurnError, match="more than 200000 values"):
        read_output(many, Tally())
    with pytest.raises(TurnError, match="more than 200000 values"):
        read_item(many, Tally())


def test_commas_in_a_long_text_are_no_values():
    text = ', \\"' * LARGE_BYTES
    item = read({"type": "message", "content": [{"type": "output_text", "text": text}]})
    assert item.content[0].text == text


def test_an_item_of_another_kind_is_kept_whole():
    search = {"type": "tool_search_call", "id": "ts_1", "call_id": "c", "arguments": {"a": 1}}
    item = read(search)
    assert (item.type, item.id, item.call_id) == ("tool_search_call", "ts_1", "c")
    assert item.verbatim == json.dumps(search)
    assert item.unnamed == ""


@pytest.mark.parametrize("shape", [{}, {"content": 3}, {"summary": {"a": 1}}, {"arguments": [1]}])
def test_an_item_of_another_kind_may_have_any_shape(shape):
    assert read({"type": "compaction", **shape}).verbatim == json.dumps({"type": "compaction", **shape})


@pytest.mark.parametrize("nothing", [3, "x", [], None])
def test_what_is_no_item_is_counted(nothing):
    assert read(nothing, skipped={"field:item": 1}) is None


def test_an_item_without_a_type_is_counted():
    assert read({"id": "x"}, skipped={"item:": 1}) is None
    assert read({"type": "x" * 300}, skipped={f"item:{'x' * 59}": 1}) is None


def test_the_keys_without_a_place_are_kept():
    item = read({"type": "function_call", "call_id": "c", "namespace": "n", "caller": {"a": [1]}, "x": None})
    assert (item.call_id, json.loads(item.unnamed)) == ("c", {"namespace": "n", "caller": {"a": [1]}})
    assert item.verbatim == ""
    plain = read({"type": "message", "id": "m", "role": "assistant", "status": "completed"})
    assert (plain.unnamed, plain.verbatim) == ("", "")
    assert plain == Item("message", "m", "completed", "assistant")


@pytest.mark.parametrize(
    ("fields", "field", "understood"),
    [
        ({"type": "function_call", "arguments": {"x": 1}}, "arguments", '{"x": 1}'),
        ({"type": "function_call", "arguments": "{}", "call_id": 5}, "call_id", "5"),
        ({"type": "custom_tool_call", "input": ["a"]}, "input", '["a"]'),
        ({"type": "reasoning", "id": None, "summary": []}, "id", None),
    ],
)
def test_an_odd_field_is_read_if_it_can_be(fields, field, understood):
    assert getattr(read(fields), field) == understood


@pytest.mark.parametrize("kind", ["message", "function_call", "reasoning", "custom_tool_call"])
@pytest.mark.parametrize("field", ["status", "id"])
def test_a_field_that_is_not_understood_is_skipped_and_counted(kind, field):
    item = read({"type": kind, field: {"a": 1}}, skipped={f"field:{field}": 1})
    assert (item.type, getattr(item, field)) == (kind, None)


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("plain", ["plain"]),
        (["plain", {"type": "text", "text": "typed"}], ["plain", "typed"]),
        ({"type": "output_text", "text": "alone"}, ["alone"]),
        ([{"type": "output_text", "text": "a", "refusal": False, "new": 1}], ["a"]),
    ],
)
def test_a_content_of_any_shape(content, texts):
    ignored = Tally()
    item: Any = read_item(raw({"type": "message", "content": content}), ignored)
    assert [part.text for part in item.content] == texts
    assert ignored.total() == ("refusal" in str(content))


def test_a_content_that_is_none_is_skipped():
    said = {"type": "message", "content": [3, {"type": "output_text", "text": "a"}]}
    assert [part.text for part in read(said, skipped={"field:content": 1}).content] == [None, "a"]
    assert read({"type": "message", "content": 3}, skipped={"field:content": 2}).content is None


def test_a_message_without_any_content_that_is_known_is_kept_whole():
    hologram = {"type": "message", "id": "m", "content": [{"type": "hologram", "light": 1}]}
    assert read(hologram).verbatim == json.dumps(hologram)
    mixed = {"type": "message", "content": [{"type": "hologram"}, {"type": "refusal", "refusal": "no"}]}
    assert read(mixed).verbatim == ""


def test_annotations_and_log_probabilities_stay_raw():
    content = {
        "type": "output_text",
        "text": "a",
        "annotations": [{"url": "u"}],
        "logprobs": [{"token": "a"}],
    }
    (part,) = read({"type": "message", "content": [content]}).content
    assert (bytes(part.annotations), bytes(part.logprobs)) == (b'[{"url": "u"}]', b'[{"token": "a"}]')
