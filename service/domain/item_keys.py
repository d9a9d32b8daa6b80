"""The keys of the upstream's items that the contract names. All others are the `extra_json` of a part."""

from __future__ import annotations

from collections.abc import Mapping

NAMED_KEYS: Mapping[str, frozenset[str]] = {
    "message": frozenset({"type", "id", "status", "role", "content", "phase"}),
    "reasoning": frozenset({"type", "id", "status", "summary", "content", "encrypted_content"}),
    "function_call": frozenset({"type", "id", "status", "call_id", "name", "arguments"}),
    "function_call_output": frozenset({"type", "id", "status", "call_id", "output"}),
    "custom_tool_call": frozenset({"type", "id", "status", "call_id", "name", "input"}),
    "custom_tool_call_output": frozenset({"type", "id", "status", "call_id", "output"}),
}
"""By the type of the item. `status` says only what the events and the stop reason say, too."""
