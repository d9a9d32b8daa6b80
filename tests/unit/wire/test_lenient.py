import json

import msgspec
import pytest

from service.wire import lenient
from service.wire.tally import Tally


@pytest.mark.parametrize(
    ("convert", "raw", "value"),
    [
        (lenient.text, b'"a"', "a"),
        (lenient.text, b"-1.5", "-1.5"),
        (lenient.text, b"true", None),
        (lenient.text, b"{}", None),
        (lenient.text, b'"\\ud800"', None),
        (lenient.text_or_json, b'{"a": 1}', '{"a": 1}'),
        (lenient.text_or_json, b'"a"', "a"),
        (lenient.text_or_json, b"false", None),
        (lenient.whole, b"-1", -1),
        (lenient.whole, b'"12"', 12),
        (lenient.whole, b"1.5", None),
        (lenient.whole, b"1e300", None),
        (lenient.count, b"7.0", 7),
        (lenient.count, b"-9", None),
        (lenient.count, b"[]", None),
        (lenient.number, b'"1.5"', 1.5),
        (lenient.number, b'"NaN"', None),
        (lenient.number, b'"x"', None),
    ],
)
def test_what_a_value_is_read_as(convert, raw, value):
    assert convert(raw) == value


def test_a_field_is_read_for_itself():
    ignored = Tally()
    fields = lenient.fields_of('{"a":1,"b":"x","c":null,"e":[1]}')
    shape = dict.fromkeys("abcd", lenient.whole) | {"e": lenient.untouched}
    values = lenient.read_fields(fields, shape, ignored, "path.")
    assert (values["a"], bytes(values["e"]), set(values)) == (1, b"[1]", {"a", "e"})
    assert ignored == {"field:path.b": 1}


@pytest.mark.parametrize(("raw", "nothing"), [(b"", True), (b"null", True), (b"0", False), (b"[1,2]", False)])
def test_what_is_nothing(raw, nothing):
    assert lenient.is_nothing(msgspec.Raw(raw)) is nothing


def test_a_frame_is_repaired_but_for_its_delta():
    frame = r'{"delta":"a\ud83d","text":"a\ud83d","n":NaN,"m":1e999,"ok":"\ud83d\ude00","raw":"\\ud83d"}'
    repaired, delta = lenient.repair(frame) or ("", "")
    assert delta == "a\ud83d"
    assert json.loads(repaired) == {
        "delta": "a\ufffd", "text": "a\ufffd", "n": None, "m": None, "ok": "\U0001f600", "raw": r"\ud83d",
    }  # fmt: skip


@pytest.mark.parametrize(
    "frame",
    ["{", "[" * 100_000, '{"a":' + "1" * 5000 + "}", "[" + "1," * 200_001 + "1]"],
    ids=["not JSON", "too deep", "too many digits", "too many values"],
)
def test_what_cannot_be_repaired(frame):
    assert lenient.repair(frame) is None


def test_a_very_long_frame_is_not_repaired():
    assert lenient.repair(json.dumps("x" * lenient.REPAIRED_CHARACTERS)) is None


def test_no_object_has_no_delta():
    assert lenient.repair("[NaN]") == ("[null]", None)
    assert lenient.repair('{"delta":3}') == ('{"delta": 3}', None)
