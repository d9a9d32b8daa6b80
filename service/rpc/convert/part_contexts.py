"""Which parts, and which items of the upstream, may occur where."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.messages import Role


@dataclass(frozen=True, slots=True)
class PartContext:
    """Where parts may occur. `from_model`: the model wrote them, so a text may have a phase.

    `of_items`: each part stands in an item of the upstream, so it may have an id and more keys.
    `refused_items`: the types of upstream items that another role says.
    """

    name: str
    parts: frozenset[str]
    from_model: bool = False
    empty_text: bool = False
    of_items: bool = True
    refused_items: frozenset[str] = frozenset()


CALLER_ONLY = frozenset({"item_reference", "compaction_trigger", "configuration_update"})
MODEL_ONLY = frozenset({
    "reasoning", "function_call", "custom_tool_call", "web_search_call", "file_search_call", "computer_call",
    "image_generation_call", "code_interpreter_call", "local_shell_call", "shell_call", "apply_patch_call",
    "tool_search_call", "mcp_list_tools", "mcp_approval_request", "mcp_call", "program",
})  # fmt: skip
"""What only one side says. Any other item, an unknown one included, may be of the model or of the caller."""

PART_CONTEXTS: dict[Role, PartContext] = {
    Role.USER: PartContext(
        "a message of ROLE_USER",
        frozenset({"text", "image", "file", "upstream_item"}),
        refused_items=MODEL_ONLY,
    ),
    Role.ASSISTANT: PartContext(
        "a message of ROLE_ASSISTANT",
        frozenset({"text", "tool_call", "reasoning", "refusal", "upstream_item"}),
        from_model=True,
        empty_text=True,
        refused_items=CALLER_ONLY,
    ),
    Role.TOOL: PartContext(
        "a message of ROLE_TOOL", frozenset({"tool_result", "upstream_item"}), refused_items=MODEL_ONLY
    ),
    Role.SYSTEM: PartContext("a message of ROLE_SYSTEM", frozenset({"text"})),
    Role.DEVELOPER: PartContext("a message of ROLE_DEVELOPER", frozenset({"text"})),
}
TOOL_RESULT = PartContext(
    "a tool result", frozenset({"text", "image", "file"}), empty_text=True, of_items=False
)
