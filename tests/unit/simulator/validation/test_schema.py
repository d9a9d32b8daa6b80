import pytest

from simulator.errors import ApiError
from simulator.validation.schema import (
    anything,
    array,
    boolean,
    decimal,
    either,
    enum,
    integer,
    mapping,
    nullable,
    record,
    string,
    tagged,
)

RECORD = record({"a": string(), "b": anything}, required=["a"])
UNION = tagged({"x": record({"type": anything}), "y": record({"type": anything, "n": integer(1)})})


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (nullable(boolean), None),
        (string(longest=3, pattern="[a-z]*"), "abc"),
        (integer(1, 2), 2),
        (decimal(0, 2), 0.5),
        (enum("a", "b"), "b"),
        (array(boolean, longest=2), [True, False]),
        (mapping(string(), most=1, longest_key=3), {"key": "v"}),
        (RECORD, {"a": "", "b": 1}),
        (UNION, {"type": "y", "n": 1}),
        (tagged({"x": record({})}, default="x"), {}),
        (either(string(), array(anything), expected="…"), []),
    ],
)
def test_accepted(check, value):
    check(value, "field")


@pytest.mark.parametrize(
    ("check", "value", "param", "code"),
    [
        (boolean, 1, "field", "invalid_type"),
        (string(filled=True), "", "field", "empty_string"),
        (string(longest=2), "abc", "field", "string_above_max_length"),
        (string(pattern="a"), "b", "field", "invalid_value"),
        (integer(1), True, "field", "invalid_type"),
        (integer(1), 0, "field", "integer_below_min_value"),
        (decimal(0, 2), 2.5, "field", "decimal_above_max_value"),
        (enum("a"), "c", "field", "invalid_value"),
        (array(boolean), [True, 1], "field[1]", "invalid_type"),
        (array(boolean, longest=1), [True, True], "field", "array_above_max_length"),
        (array(boolean, filled=True), [], "field", "empty_array"),
        (mapping(string(), most=1), {"a": "", "b": ""}, "field", "object_above_max_properties"),
        (mapping(string()), {"a": 1}, "field.a", "invalid_type"),
        (RECORD, {"b": 1, "c": 1}, "field.a", "missing_required_parameter"),
        (RECORD, {"a": "", "c": 1}, "field.c", "unknown_parameter"),
        (UNION, {}, "field.type", "missing_required_parameter"),
        (UNION, {"type": "z"}, "field.type", "invalid_value"),
        (UNION, {"type": "y", "n": 0}, "field.n", "integer_below_min_value"),
        (either(string(), array(anything), expected="one of …"), 1, "field", "invalid_type"),
    ],
)
def test_refused_with_path_and_code(check, value, param, code):
    with pytest.raises(ApiError) as caught:
        check(value, "field")
    assert (caught.value.param, caught.value.code) == (param, code)
