import pytest

from service.domain.errors import Reason, TurnError, Violation
from service.domain.limits import MAX_JSON_BYTES, MAX_JSON_NODES
from service.domain.limits import MAX_JSON_DEPTH as MAX_DEPTH
from service.wire.json_input import parse_object


def test_an_object_keeps_its_order_and_its_integers():
    value = parse_object('{"z": 12345678901234567890123, "a": {"y": 1, "b": 1.5}}', "f")
    assert list(value.items()) == [("z", 12345678901234567890123), ("a", {"y": 1, "b": 1.5})]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "null", '"a"', '{"a": NaN}', '{"a": Infinity}', '{"a":1e999}', "\ud800"]
)
def test_anything_else_is_refused_with_the_field(text):
    with pytest.raises(TurnError) as caught:
        parse_object(text, "tools[1].parameters")
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [violation.field for violation in caught.value.violations] == ["tools[1].parameters"]
    assert caught.value.message.startswith("tools[1].parameters: ")


def nested(depth):
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


def test_the_deepest_that_may_be():
    assert parse_object(nested(MAX_DEPTH), "f")


@pytest.mark.parametrize("text", [nested(MAX_DEPTH + 1), '{"a":' + "[" * 40_000, "[{" * 60 + "}]" * 60])
def test_too_deep_is_refused_before_it_is_parsed(text):
    with pytest.raises(TurnError) as caught:
        parse_object(text, "f")
    assert caught.value.violations == (Violation("f", "nested more than 100 deep"),)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "' + "{[" * 200 + '"}',
        '{"a": "' + '\\"{' * 200 + '"}',
        "{" + ",".join(f'"{n}":[{{}}]' for n in range(200)) + "}",
    ],
)
def test_brackets_in_strings_and_beside_each_other_are_not_depth(text):
    assert parse_object(text, "f")


def test_the_scan_is_linear_whatever_the_text():
    # Strings that never end are where a scan would go back: at the square this would take minutes.
    with pytest.raises(TurnError, match="not valid JSON"):
        parse_object("{" * 60 + '"\\"' * 80_000 + "{" * 60, "f")


@pytest.mark.parametrize("text", ["a" * MAX_JSON_BYTES, "ä" * (MAX_JSON_BYTES // 2)])
def test_too_many_bytes_are_refused(text):
    with pytest.raises(TurnError, match=r"f: has more than 262144 bytes"):
        parse_object(f'{{"a":"{text}"}}', "f")


@pytest.mark.parametrize("node", ["[],", "0,", '"":0,'])
def test_too_many_nodes_are_refused(node):
    with pytest.raises(TurnError, match=r"f: has more than 50000 brackets, commas and colons"):
        parse_object('{"a":[' + node * MAX_JSON_NODES + "0]}", "f")


def test_a_long_string_of_few_nodes_is_an_object():
    assert parse_object('{"a":"' + "b" * 100_000 + '"}', "f") == {"a": "b" * 100_000}
