"""Check the fields of a create request, and the rules between them, for each transport.

What depends on earlier responses is checked in `simulator.memory`.
"""

from collections.abc import Callable
from typing import Any, Literal

from simulator import errors
from simulator.errors import Json
from simulator.validation.items import INPUT
from simulator.validation.schema import (
    Check,
    anything,
    array,
    boolean,
    decimal,
    enum,
    integer,
    mapping,
    nullable,
    record,
    string,
)
from simulator.validation.tools import TEXT, TOOL, TOOL_CHOICE

Transport = Literal["websocket", "http"]

_REASONING = record(
    {
        "effort": nullable(enum("none", "minimal", "low", "medium", "high", "xhigh", "max")),
        "summary": nullable(enum("auto", "concise", "detailed")),
        "generate_summary": nullable(enum("auto", "concise", "detailed")),
        "context": nullable(enum("auto", "current_turn", "all_turns")),
        "mode": string(filled=True),
    }
)

_INCLUDE = enum(
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)

_CONTEXT_MANAGEMENT = record(
    {"type": enum("compaction"), "compact_threshold": nullable(integer(1))}, required=["type"]
)

_COMMON: dict[str, Check] = {
    "model": string(filled=True),
    "input": nullable(INPUT),
    "instructions": nullable(string()),
    "previous_response_id": nullable(string(filled=True)),
    "store": nullable(boolean),
    "tools": nullable(array(TOOL, longest=128)),
    "tool_choice": nullable(TOOL_CHOICE),
    "parallel_tool_calls": nullable(boolean),
    "text": nullable(TEXT),
    "reasoning": nullable(_REASONING),
    "include": nullable(array(_INCLUDE)),
    "temperature": nullable(decimal(0, 2)),
    "top_p": nullable(decimal(0, 1)),
    "top_logprobs": nullable(integer(0, 20)),
    "max_output_tokens": nullable(integer(16)),
    "max_tool_calls": nullable(integer(1)),
    "metadata": nullable(mapping(string(longest=512), most=16, longest_key=64)),
    "prompt_cache_key": nullable(string(longest=64)),
    "prompt_cache_retention": nullable(enum("in_memory", "24h")),
    "prompt_cache_options": nullable(mapping(anything)),
    "safety_identifier": nullable(string(longest=128)),
    "user": nullable(string()),
    "service_tier": nullable(enum("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")),
    "truncation": nullable(enum("auto", "disabled")),
    "stream": nullable(boolean),
    "stream_options": nullable(mapping(boolean)),
    "client_metadata": nullable(mapping(string())),
    "context_management": nullable(array(_CONTEXT_MANAGEMENT)),
    **dict.fromkeys(("access_programs", "conversation", "image", "moderation", "prompt"), anything),
}

_CREATE: dict[Transport, Check] = {
    "http": record(
        {
            **_COMMON,
            "background": anything,
        },
        required=["model"],
    ),
    "websocket": record({**_COMMON, "type": anything, "generate": nullable(boolean)}, required=["model"]),
}

_COMPACT = record(
    {
        name: _COMMON[name]
        for name in (
            "model",
            "input",
            "instructions",
            "previous_response_id",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "service_tier",
            "image",
        )
    },
    required=["model"],
)

_ONLY_HTTP = ("background", "background_options")


def check(body: Any, transport: Transport) -> None:
    """Check a request body. Raises the ApiError with which the upstream would refuse it."""
    if not isinstance(body, dict):
        raise errors.not_json()
    if transport == "websocket":
        _refuse_http_fields(body)
    _CREATE[transport](body, "")
    for rule in _RULES:
        rule(body)


def check_compaction(body: Json) -> None:
    """Check the body of a request to compact a conversation. Raises ApiError."""
    _COMPACT(body, "")
    _has_something_to_answer(body)


def items_of(body: Json) -> list[Json]:
    """Return the input as items: a string is one user message."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return list(given or ())


def _refuse_http_fields(body: Json) -> None:
    for name in _ONLY_HTTP:
        if name in body:
            raise errors.unsupported(name)


def _has_something_to_answer(body: Json) -> None:
    if body.get("input") or body.get("previous_response_id") or body.get("generate") is False:
        return
    message = "One of 'input' or 'previous_response_id' or 'prompt' or 'conversation' must be provided."
    raise errors.ApiError(message, code="missing_required_parameter", param="input")


def _one_lineage(body: Json) -> None:
    if body.get("previous_response_id") and body.get("conversation"):
        raise errors.mutually_exclusive("previous_response_id", "conversation")


def _nothing_stored_elsewhere(body: Json) -> None:
    """Conversations and prompts are created by other endpoints, so none of them exists here."""
    for name in ("conversation", "prompt"):
        if body.get(name):
            raise errors.ApiError(f"{name.capitalize()} not found.", param=name, status=404)
    if body.get("background"):
        raise errors.unsupported("background")


def _stateless_items(body: Json) -> None:
    """Without store nothing is kept by an id. Reasoning that holds itself needs none."""
    for index, item in enumerate(items_of(body)):
        kind, item_id = item.get("type"), item.get("id")
        if kind == "reasoning" and not (item_id or item.get("encrypted_content") or item.get("content")):
            raise errors.missing(f"input[{index}].id")
        if body.get("store") is not False or not item_id:
            continue
        if kind == "item_reference" or (kind == "reasoning" and not item.get("encrypted_content")):
            raise errors.item_not_persisted(item_id)


def _trigger_is_last(body: Json) -> None:
    for index, item in enumerate(items_of(body)[:-1]):
        if item.get("type") == "compaction_trigger":
            message = "'compaction_trigger' must be the final input item."
            raise errors.ApiError(message, code="invalid_value", param=f"input[{index}]")


def _image_sources(body: Json) -> None:
    for index, item in enumerate(items_of(body)):
        field = "output" if item.get("type") == "function_call_output" else "content"
        parts = item.get(field)
        for position, part in enumerate(parts if isinstance(parts, list) else ()):
            if part.get("type") == "input_image" and not (part.get("image_url") or part.get("file_id")):
                raise errors.missing(f"input[{index}].{field}[{position}].image_url")


def _chosen_tool_is_offered(body: Json) -> None:
    choice, tools = body.get("tool_choice"), body.get("tools") or []
    if choice == "required" and not tools:
        message = "Tool choice 'required' must be specified with 'tools' parameter."
        raise errors.ApiError(message, code="invalid_value", param="tool_choice")
    match choice:
        case {"type": "function" | "custom", "name": name} if name not in [
            tool.get("name") for tool in tools
        ]:
            message = f"Tool choice '{name}' not found in 'tools' parameter."
            raise errors.ApiError(message, code="invalid_value", param="tool_choice")


_RULES: tuple[Callable[[Json], None], ...] = (
    _one_lineage,
    _nothing_stored_elsewhere,
    _has_something_to_answer,
    _stateless_items,
    _trigger_is_last,
    _image_sources,
    _chosen_tool_is_offered,
)
