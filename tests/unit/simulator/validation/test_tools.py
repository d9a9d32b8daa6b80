import pytest

from simulator.errors import ApiError
from simulator.validation.tools import TEXT, TOOL, TOOL_CHOICE

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
STRICT = {**CLOSED, "additionalProperties": False}


def function(parameters, strict=None):
    return {"type": "function", "name": "f", "parameters": parameters, "strict": strict}


@pytest.mark.parametrize(
    "tool", [function(None), function(CLOSED), function(STRICT, strict=True), {"type": "web_search", "x": 1}]
)
def test_accepted_tools(tool):
    TOOL(tool, "tools[0]")


@pytest.mark.parametrize(
    ("tool", "complaint"),
    [
        (function({"type": "string"}), "got 'type: \"string\"'"),
        (function({"type": "object"}), "object schema missing properties"),
        (function(CLOSED, strict=True), "'additionalProperties' is required"),
        (function({**STRICT, "required": []}, strict=True), "Missing 'a'"),
        (function({**STRICT, "properties": {"a": CLOSED}}, strict=True), r"context=\('a',\)"),
    ],
)
def test_an_invalid_function_schema_is_refused(tool, complaint):
    with pytest.raises(ApiError, match=complaint) as caught:
        TOOL(tool, "tools[0]")
    assert caught.value.code == "invalid_function_parameters"


@pytest.mark.parametrize("choice", ["auto", {"type": "function", "name": "f"}, {"type": "mcp"}])
def test_accepted_choices(choice):
    TOOL_CHOICE(choice, "tool_choice")


@pytest.mark.parametrize(
    "choice", ["always", 1, {"type": "function"}, {"type": "allowed_tools", "mode": "auto"}]
)
def test_refused_choices(choice):
    with pytest.raises(ApiError):
        TOOL_CHOICE(choice, "tool_choice")


def test_a_json_schema_format_needs_a_name():
    TEXT({"format": {"type": "json_schema", "name": "n", "schema": {}}}, "text")
    with pytest.raises(ApiError) as caught:
        TEXT({"format": {"type": "json_schema", "schema": {}}}, "text")
    assert caught.value.param == "text.format.name"
