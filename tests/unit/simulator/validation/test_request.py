"""What the upstream refuses, and with which message: one row per refusal."""
# ruff: noqa: E501 (a row is one line, however long the words)

from typing import Any

import pytest

from simulator.errors import ApiError
from simulator.validation import request

FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
CHAT_TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


def user(*parts) -> dict[str, Any]:
    return {"input": [{"role": "user", "content": list(parts)}]}


def assistant(*parts) -> dict[str, Any]:
    return {"input": [{"type": "message", "role": "assistant", "content": list(parts)}]}


def tool(**fields) -> dict[str, Any]:
    return {"tools": [{**FUNCTION, **fields}]}


def strict(**schema) -> dict[str, Any]:
    return tool(strict=True, parameters={"type": "object", **schema})


OPEN_SCHEMA = "'additionalProperties' is required to be supplied and to be false."
REFUSED = [
    # fields
    ({"foo": 1}, "foo", "Unknown parameter: 'foo'."),
    ({"model": ""}, "model", "Invalid 'model': empty string. Expected a string with minimum length 1, but got an empty string instead."),
    ({"model": None}, "model", "Invalid type for 'model': expected a string, but got null instead."),
    ({"input": 7}, "input", "Invalid type for 'input': expected one of an array of objects or string, but got an integer instead."),
    ({"input": ["hi"]}, "input[0]", "Invalid type for 'input[0]': expected an object, but got a string instead."),
    ({"input": []}, "input", "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation' must be provided."),
    ({"instructions": []}, "instructions", "Invalid type for 'instructions': expected a string, but got an array instead."),
    ({"store": "no"}, "store", "Invalid type for 'store': expected a boolean, but got a string instead."),
    ({"temperature": 2.5}, "temperature", "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5 instead."),
    ({"temperature": -1}, "temperature", "Invalid 'temperature': decimal below minimum value. Expected a value >= 0, but got -1 instead."),
    ({"temperature": "hot"}, "temperature", "Invalid type for 'temperature': expected a decimal, but got a string instead."),
    ({"top_p": True}, "top_p", "Invalid type for 'top_p': expected a decimal, but got a boolean instead."),
    ({"max_output_tokens": 15}, "max_output_tokens", "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 15 instead."),
    ({"max_output_tokens": 16.5}, "max_output_tokens", "Invalid type for 'max_output_tokens': expected an integer, but got a decimal instead."),
    ({"top_logprobs": 21}, "top_logprobs", "Invalid 'top_logprobs': integer above maximum value. Expected a value <= 20, but got 21 instead."),
    ({"truncation": "some"}, "truncation", "Invalid value: 'some'. Supported values are: 'auto' and 'disabled'."),
    ({"truncation": 1}, "truncation", "Invalid type for 'truncation': expected one of 'auto' or 'disabled', but got an integer instead."),
    ({"reasoning": {"effort": "heroic"}}, "reasoning.effort", "Invalid value: 'heroic'. Supported values are: 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'."),
    ({"metadata": {"k": 1}}, "metadata.k", "Invalid type for 'metadata.k': expected a string, but got an integer instead."),
    ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with 17 properties instead."),
    ({"metadata": {"k": "x" * 513}}, "metadata.k", "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got a string with length 513 instead."),
    ({"metadata": {"k" * 65: ""}}, "metadata." + "k" * 65, "Invalid 'metadata." + "k" * 65 + "': string too long. Expected a string with maximum length 64, but got a string with length 65 instead."),
    ({"metadata": []}, "metadata", "Invalid type for 'metadata': expected an object, but got an array instead."),
    ({"include": ["everything"]}, "include[0]", None),
    ({"previous_response_id": "resp_1", "conversation": "conv_1"}, "previous_response_id", "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only providing one of: 'previous_response_id' or 'conversation'."),
    # content
    ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role", "Invalid value: 'wizard'. Supported values are: 'assistant', 'system', 'developer', and 'user'."),
    ({"input": [{"content": "x"}]}, "input[0].role", "Missing required parameter: 'input[0].role'."),
    ({"input": [{"role": "user"}]}, "input[0].content", "Missing required parameter: 'input[0].content'."),
    ({"input": [{"type": "tool_result"}]}, "input[0].type", None),
    (user({"type": "output_text", "text": "x"}), "input[0].content[0].type", "Invalid value: 'output_text'. Supported values are: 'input_text', 'input_image', and 'input_file'."),
    (user({"type": "text", "text": "x"}), "input[0].content[0].type", None),
    (user({"type": "input_text"}), "input[0].content[0].text", "Missing required parameter: 'input[0].content[0].text'."),
    (user({"type": "input_image", "source": {"data": "…"}}), "input[0].content[0].source", "Unknown parameter: 'input[0].content[0].source'."),
    (user({"type": "input_image"}), "input[0].content[0].image_url", "Missing required parameter: 'input[0].content[0].image_url'."),
    (user({"type": "input_image", "image_url": {"url": "…"}}), "input[0].content[0].image_url", "Invalid type for 'input[0].content[0].image_url': expected a string, but got an object instead."),
    (assistant({"type": "input_text", "text": "x"}), "input[0].content[0].type", "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'."),
    ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments", "Missing required parameter: 'input[0].arguments'."),
    ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}, "input[0].arguments", None),
    ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id", "Missing required parameter: 'input[0].call_id'."),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]}]}, "input[0].output[0].image_url", None),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x", "is_error": True}]}, "input[0].is_error", "Unknown parameter: 'input[0].is_error'."),
    ({"input": [{"type": "reasoning", "id": "rs_1"}]}, "input[0].summary", "Missing required parameter: 'input[0].summary'."),
    # tools
    ({"tools": [CHAT_TOOL]}, "tools[0].name", "Missing required parameter: 'tools[0].name'."),
    ({"tools": [{"name": "f"}]}, "tools[0].type", "Missing required parameter: 'tools[0].type'."),
    ({"tools": [{"type": "telepathy"}]}, "tools[0].type", None),
    (tool(name="not a name"), "tools[0].name", "Invalid 'tools[0].name': string does not match pattern. Expected a string that matches the pattern '[a-zA-Z0-9_-]+'."),
    (tool(input_schema={}), "tools[0].input_schema", "Unknown parameter: 'tools[0].input_schema'."),
    (tool(parameters={}), "tools[0].parameters", "Invalid schema for function 'f': schema must be a JSON Schema of 'type: \"object\"', got 'type: \"None\"'."),
    (tool(parameters={"type": "object"}), "tools[0].parameters", "Invalid schema for function 'f': In context=(), object schema missing properties."),
    (strict(properties={"a": {}}), "tools[0].parameters", f"Invalid schema for function 'f': In context=(), {OPEN_SCHEMA}"),
    (strict(properties={"a": {}}, additionalProperties=False), "tools[0].parameters", "Invalid schema for function 'f': In context=(), 'required' is required to be supplied and to be an array including every key in properties. Missing 'a'."),
    (strict(properties={"a": {"type": "object", "properties": {}}}, additionalProperties=False, required=["a"]), "tools[0].parameters", f"Invalid schema for function 'f': In context=('a',), {OPEN_SCHEMA}"),
    ({"tool_choice": "maybe"}, "tool_choice", "Invalid value: 'maybe'. Supported values are: 'none', 'auto', and 'required'."),
    ({"tool_choice": "required"}, "tool_choice", "Tool choice 'required' must be specified with 'tools' parameter."),
    ({"tool_choice": {"type": "function", "name": "g"}, **tool()}, "tool_choice", "Tool choice 'g' not found in 'tools' parameter."),
    ({"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice.name", "Missing required parameter: 'tool_choice.name'."),
    ({"text": {"format": {"type": "json_schema", "json_schema": {}}}}, "text.format.name", "Missing required parameter: 'text.format.name'."),
]  # fmt: skip


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize(("fields", "param", "message"), REFUSED)
def test_refused(transport, fields, param, message):
    with pytest.raises(ApiError) as caught:
        request.check({"model": "m", "input": "x", **fields}, transport)
    assert (caught.value.status, caught.value.kind) == (400, "invalid_request_error")
    assert caught.value.param == param
    if message is not None:
        assert caught.value.message == message


def test_a_websocket_refuses_background_responses():
    body: dict[str, Any] = {"model": "m", "input": "x", "background": False}
    request.check(body, "http")
    with pytest.raises(ApiError, match="Unsupported parameter: 'background'"):
        request.check(body, "websocket")


@pytest.mark.parametrize("name", ["type", "generate", "stream_id"])
def test_http_refuses_websocket_fields(name):
    with pytest.raises(ApiError, match=f"Unknown parameter: '{name}'"):
        request.check({"model": "m", "input": "x", name: "x"}, "http")


def test_a_missing_model():
    with pytest.raises(ApiError, match="Missing required parameter: 'model'"):
        request.check({"input": "x"}, "http")


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"conversation": "conv_1"}, 404), ({"prompt": {"id": "pmpt_1"}}, 404), ({"background": True}, 400)],
)
def test_stored_conversations_and_prompts_are_unknown(fields, status):
    with pytest.raises(ApiError) as caught:
        request.check({"model": "m", "input": "x", **fields}, "http")
    assert caught.value.status == status


@pytest.mark.parametrize(
    "item",
    [
        {"type": "item_reference", "id": "msg_1"},
        {"type": "reasoning", "id": "msg_1", "summary": []},
        {"type": "reasoning", "id": "msg_1", "summary": [], "encrypted_content": None},
    ],
)
def test_unstored_items_must_be_complete(item):
    request.check({"model": "m", "input": [item]}, "http")
    with pytest.raises(ApiError, match="Items are not persisted when `store` is set to false"):
        request.check({"model": "m", "input": [item], "store": False}, "http")


ACCEPTED = [
    {"input": "x"},
    {"input": [], "previous_response_id": "resp_1"},
    {"input": None, "previous_response_id": "resp_1"},
    {"temperature": 0, "top_p": 1.0, "max_output_tokens": 16, "max_tool_calls": 1, "top_logprobs": 0},
    {"metadata": {str(n): "x" * 512 for n in range(16)}, "service_tier": "flex", "user": "u"},
    {"tools": [], "tool_choice": "none", "parallel_tool_calls": False},
    {**tool(description="d", strict=False), "tool_choice": {"type": "function", "name": "f"}},
    {**tool(parameters=None), "tool_choice": "required"},
    strict(
        properties={"a": {"type": "array", "items": {"type": "string"}}},
        additionalProperties=False,
        required=["a"],
    ),
    {**tool(), "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}},
    {"tools": [{"type": "web_search", "filters": {}}, {"type": "custom", "name": "c"}]},
    {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}, "verbosity": "low"}},
    {"reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
    user({"type": "input_text", "text": ""}, {"type": "input_image", "image_url": "data:,", "detail": "low"}),
    user({"type": "input_image", "file_id": "file_1"}, {"type": "input_file", "file_data": "data:,", "filename": "f"}),
    assistant({"type": "output_text", "text": "x", "annotations": [], "logprobs": []}, {"type": "refusal", "refusal": "no"}),
    {"input": [{"role": role, "content": "x"} for role in ("user", "assistant", "system", "developer")]},
    {"input": [{"type": "message", "role": "assistant", "content": "x", "phase": "commentary", "status": "completed"}]},
    {"input": [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "x"}]}], "store": False},
    {"stream": True, "stream_options": {"include_obfuscation": False}, "client_metadata": {"origin": "cli"}},
    {"input": [{"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}]},
]  # fmt: skip


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize("fields", ACCEPTED)
def test_accepted(transport, fields):
    request.check({"model": "m", "input": "x", **fields}, transport)


def test_a_warm_up_needs_no_input():
    request.check({"type": "response.create", "model": "m", "input": [], "generate": False}, "websocket")


def test_a_string_is_one_user_message():
    assert request.items_of({"input": "x"}) == [{"type": "message", "role": "user", "content": "x"}]
    assert request.items_of({}) == []
