import pytest

from simulator.scripts.sampling import sample


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "value 2"),
        ({"type": "string"}, "value 2"),
        ({"type": "integer"}, 2),
        ({"type": "integer", "minimum": 10}, 10),
        ({"type": "number"}, 1.5),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["integer", "null"]}, 2),
        ({"const": 7}, 7),
        ({"enum": ["x", "y"]}, "x"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 2),
        ({"type": "array", "items": {"type": "integer"}}, [2]),
        ({"type": "array"}, ["value 2"]),
        ({"type": "object"}, {}),
        ({"type": "object", "properties": {"a": {}, "b": {}}}, {"a": "a 2", "b": "b 2"}),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, {"b": "b 2"}),
    ],
)
def test_sample(schema, value):
    assert sample(schema, 2) == value
