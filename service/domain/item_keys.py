"""The keys of the upstream's items that the contract names. All others are the `extra_json` of a part."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.messages import Part, ReasoningPart, ToolCallPart, ToolKind, ToolResultPart

NAMED_KEYS: Mapping[str, frozenset[str]] = {
    "message": frozenset({"type", "id", "status", "role", "content", "phase"}),
    "reasoning": frozenset({"type", "id", "status", "summary", "content", "encrypted_content"}),
    "function_call": frozenset({"type", "id", "status", "call_id", "name", "arguments"}),
    "function_call_output": frozenset({"type", "id", "status", "call_id", "output"}),
    "custom_tool_call": frozenset({"type", "id", "status", "call_id", "name", "input"}),
    "custom_tool_call_output": frozenset({"type", "id", "status", "call_id", "output"}),
}
"""By the type of the item. `status` says only what the events and the stop reason say, too."""


def item_type(part: Part) -> str:
    """Return the type of the item that holds the part: a key of `NAMED_KEYS`. Not for an upstream item."""
    match part:
        case ReasoningPart():
            return "reasoning"
        case ToolCallPart():
            return "custom_tool_call" if part.kind is ToolKind.CUSTOM else "function_call"
        case ToolResultPart():
            return "custom_tool_call_output" if part.kind is ToolKind.CUSTOM else "function_call_output"
        case _:
            return "message"
