import json

import pytest

from service.domain.errors import Reason, TurnError
from service.wire.server_events import IncompleteDetails, Response, ServerEvent, decode, read_object
from service.wire.tally import Tally

UNDERSTOOD = {"known", "response.function_call_arguments.delta", "response.output_text.delta"}


def read(frame):
    """Decode a frame of which nothing is skipped."""
    ignored = Tally()
    event = decode(frame, UNDERSTOOD, ignored)
    assert not ignored
    return event


def odd(**fields):
    """Decode a known event with these fields, and return what was skipped, too."""
    ignored = Tally()
    return decode(json.dumps({"type": "known"} | fields), UNDERSTOOD, ignored), dict(ignored)


def test_only_what_is_needed_is_read():
    event = read('{"type":"known","delta":"a","output_index":1,"logprobs":[{}],"new":{"deep":[1]}}')
    assert event == ServerEvent(type="known", delta="a", output_index=1)


def test_null_is_nothing():
    text = json.dumps(
        {"type": "known"} | dict.fromkeys(("delta", "item_id", "output_index", "sequence_number"))
    )
    assert read(text) == ServerEvent(type="known")


def test_unknown_events_may_have_any_shape():
    assert read('{"type":"new","delta":{"a":1},"output_index":"x","item_id":"i"}') == ServerEvent(
        type="new", item_id="i"
    )


@pytest.mark.parametrize(
    "frame",
    [
        "", "{", "nothing", "[]", "1", "null", '"known"', '{"a":1}x', "\ud800",
        '{"type":"a","x":' + "[" * 5000 + "]" * 5000 + "}", b'{"type":"known"}', b"\xff",
    ],
)  # fmt: skip
def test_an_invalid_frame_is_reported(frame):
    with pytest.raises(TurnError, match="the upstream sent a") as caught:
        decode(frame, UNDERSTOOD, Tally())
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_an_object_is_read_whole():
    assert read_object('{"a":[1]}') == {"a": [1]}
    with pytest.raises(TurnError):
        read_object("[]")


def test_a_response_is_read_with_its_frame():
    assert read('{"type":"known","response":null}').response is None
    response = read('{"type":"known","response":{"id":"r","x":[1],"output":[]}}').response
    assert (response.id, bytes(response.output)) == ("r", b"[]")


# Odd fields


@pytest.mark.parametrize(
    ("field", "value", "understood"),
    [
        ("sequence_number", "7", 7),
        ("output_index", 1.0, 1),
        ("item_id", 5, "5"),
        ("arguments", {"a": [1]}, '{"a": [1]}'),
        ("input", ["a"], '["a"]'),
        ("response_id", "r", "r"),
    ],
)
def test_an_odd_field_is_read_if_it_can_be(field, value, understood):
    event, skipped = odd(**{field: value, "content_index": "1"})
    assert (getattr(event, field), event.content_index, skipped) == (understood, 1, {})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("refusal", False), ("text", []), ("delta", {}), ("sequence_number", "many"), ("output_index", 1.5),
        ("type", {}), ("response", 3), ("response", "gone"),
    ],
)  # fmt: skip
def test_a_field_that_is_not_understood_is_skipped_and_counted(field, value):
    ignored = Tally()
    event = decode(json.dumps({"type": "known", "text": "kept", field: value}), {"known", ""}, ignored)
    assert getattr(event, field) in (None, "")
    assert event.text == ("kept" if field != "text" else None)
    assert ignored == {f"field:{field}": 1}


def test_arguments_may_grow_by_an_object_but_no_text():
    frame = '{"type":"response.function_call_arguments.delta","delta":{"a":1}}'
    assert read(frame).delta == '{"a":1}'
    assert decode('{"type":"response.output_text.delta","delta":{}}', UNDERSTOOD, Tally()).delta is None


@pytest.mark.parametrize(
    ("fields", "response", "skipped"),
    [
        ({"id": "r", "created_at": "1760000000"}, Response("r", created_at=1760000000.0), {}),
        ({"id": "r", "created_at": "today"}, Response("r"), {"field:created_at": 1}),
        ({"id": 7, "model": ["m"]}, Response("7"), {"field:model": 1}),
        (
            {"incomplete_details": "max_output_tokens"},
            Response(incomplete_details=IncompleteDetails("max_output_tokens")),
            {},
        ),
        (
            {"created_at": "1", "incomplete_details": {"reason": "content_filter"}},
            Response(created_at=1.0, incomplete_details=IncompleteDetails("content_filter")),
            {},
        ),
    ],
)
def test_an_odd_field_of_a_response_costs_nothing_else(fields, response, skipped):
    event, ignored = odd(response=fields)
    assert (event.response, ignored) == (response, skipped)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_nan_and_infinity_become_null(number):
    event = read(f'{{"type":"known","delta":"NaN","output_index":1,"x":[{number},NaN]}}')
    assert event == ServerEvent(type="known", delta="NaN", output_index=1)


@pytest.mark.parametrize("frame", ['{"type":"NaN"', '{"a":"NaN","b":\\u1}', '{"NaN":' + "[" * 100_000])
def test_nan_in_other_invalid_json_is_not_repaired(frame):
    with pytest.raises(TurnError, match="not JSON"):
        decode(frame, UNDERSTOOD, Tally())


@pytest.mark.parametrize(
    ("half", "delta", "text"),
    [
        (r"\ud800", "\ud800", "\ufffd"),
        (r"a\ud800b", "a\ud800b", "a\ufffdb"),
        (r"\udc00", "\udc00", "\ufffd"),
        (r"\ud83d\u0041", "\ud83dA", "\ufffdA"),
        (r"\ud83d\ude00\ude00", "\U0001f600\ude00", "\U0001f600\ufffd"),
    ],
)
def test_half_a_character_stays_in_a_delta_and_nowhere_else(half, delta, text):
    event = read(f'{{"type":"known","delta":"{half}","text":"{half}"}}')
    assert (event.delta, event.text) == (delta, text)
