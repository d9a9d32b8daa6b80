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


def test_references_are_followed():
    schema = {
        "$defs": {"City": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "type": "object",
        "properties": {
            "home": {"$ref": "#/$defs/City"},
            "work": {"anyOf": [{"$ref": "#/$defs/City"}, {"type": "null"}]},
            "lost": {"$ref": "#/$defs/Nowhere"},
        },
    }
    city = {"name": "name 2"}
    assert sample(schema, 2) == {"home": city, "work": city, "lost": "lost 2"}


def test_a_type_within_itself_ends():
    tree = {"$ref": "#/$defs/Tree"}
    properties = {
        "label": {"type": "string"},
        "branches": {"type": "array", "items": tree},
        "parent": {"anyOf": [tree, {"type": "null"}]},
    }
    schema = {"$defs": {"Tree": {"type": "object", "properties": properties}}, "$ref": "#/$defs/Tree"}
    assert sample(schema, 1) == {"label": "label 1", "branches": [], "parent": None}


def test_a_type_that_has_no_end_is_cut():
    knot = {"type": "object", "properties": {"self": {"$ref": "#/$defs/Knot"}}}
    schema = {"$defs": {"Knot": knot}, "$ref": "#/$defs/Knot"}
    assert sample(schema) == {"self": None}
