"""The shapes of tools, tool choice and text format, and the rules for a function's JSON Schema."""

from typing import Any

from simulator.errors import ApiError, Json
from simulator.validation.schema import (
    Check,
    anything,
    array,
    boolean,
    either,
    enum,
    mapping,
    nullable,
    record,
    string,
    tagged,
)

_NAME = string(filled=True, longest=128, pattern="[a-zA-Z0-9_-]+")

_FUNCTION_FIELDS: dict[str, Check] = {
    "type": anything,
    "name": _NAME,
    "description": nullable(string()),
    "parameters": nullable(mapping(anything)),
    "strict": nullable(boolean),
    "allowed_callers": anything,
    "defer_loading": boolean,
    "output_schema": anything,
    "async": boolean,
}


def _function(value: Any, path: str) -> None:
    record(_FUNCTION_FIELDS, required=["name"])(value, path)
    schema = value.get("parameters")
    if schema is None:
        return
    complaint = _root_complaint(schema) or (_strict_complaint(schema, "()") if value.get("strict") else None)
    if complaint:
        message = f"Invalid schema for function '{value['name']}': {complaint}"
        raise ApiError(message, code="invalid_function_parameters", param=f"{path}.parameters")


def _root_complaint(schema: Json) -> str | None:
    kind = schema.get("type")
    if kind != "object":
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
    if "properties" not in schema:
        return "In context=(), object schema missing properties."
    return None


def _strict_complaint(schema: Json, context: str) -> str | None:
    """Check strict mode: every object is closed and every property required, at any depth."""
    properties = schema.get("properties")
    if isinstance(properties, dict):
        if schema.get("additionalProperties") is not False:
            return f"In context={context}, 'additionalProperties' is required to be supplied and to be false."
        absent = [name for name in properties if name not in schema.get("required", ())]
        if absent:
            return (
                f"In context={context}, 'required' is required to be supplied and to be an array "
                f"including every key in properties. Missing '{absent[0]}'."
            )
    inner = {**(properties or {}), "items": schema.get("items")}
    for name, child in inner.items():
        complaint = _strict_complaint(child, f"('{name}',)") if isinstance(child, dict) else None
        if complaint:
            return complaint
    return None


_ANY = record({}, closed=False)

TOOL = tagged(
    {
        "function": _function,
        "custom": record(
            {"type": anything, "name": _NAME, "description": nullable(string()), "format": anything},
            required=["name"],
            closed=False,
        ),
        **dict.fromkeys(
            (
                "file_search",
                "web_search",
                "web_search_2025_08_26",
                "web_search_preview",
                "web_search_preview_2025_03_11",
                "computer",
                "computer_use_preview",
                "code_interpreter",
                "image_generation",
                "local_shell",
                "shell",
                "mcp",
                "namespace",
                "tool_search",
                "apply_patch",
                "programmatic_tool_calling",
            ),
            _ANY,
        ),
    }
)

_NAMED = record({"type": anything, "name": _NAME}, required=["name"])

TOOL_CHOICE = either(
    enum("none", "auto", "required"),
    tagged(
        {
            "function": _NAMED,
            "custom": _NAMED,
            "allowed_tools": record(
                {"type": anything, "mode": enum("auto", "required"), "tools": array(_ANY, filled=True)},
                required=["mode", "tools"],
            ),
            **dict.fromkeys(
                (
                    "file_search",
                    "web_search",
                    "web_search_preview",
                    "web_search_preview_2025_03_11",
                    "computer",
                    "computer_use",
                    "computer_use_preview",
                    "code_interpreter",
                    "image_generation",
                    "mcp",
                    "shell",
                    "apply_patch",
                    "programmatic_tool_calling",
                ),
                _ANY,
            ),
        }
    ),
    expected="one of an object or string",
)

_JSON_SCHEMA = record(
    {
        "type": anything,
        "name": string(filled=True, longest=64, pattern="[a-zA-Z0-9_-]+"),
        "schema": mapping(anything),
        "description": nullable(string()),
        "strict": nullable(boolean),
    },
    required=["name", "schema"],
)

TEXT = record(
    {
        "format": tagged(
            {
                "text": record({"type": anything}),
                "json_object": record({"type": anything}),
                "json_schema": _JSON_SCHEMA,
            }
        ),
        "verbosity": nullable(enum("low", "medium", "high")),
    }
)
