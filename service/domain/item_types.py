"""Types of the upstream's items that the service itself must tell apart; it passes on any other, too."""

from __future__ import annotations

COMPACTIONS = frozenset({"compaction", "compaction_summary"})
"""An item that stands for what was said before it. The second is its older name."""

CALLER_ONLY = frozenset({"item_reference", "compaction_trigger", "configuration_update"})
MODEL_ONLY = frozenset({
    "reasoning", "function_call", "custom_tool_call", "web_search_call", "file_search_call", "computer_call",
    "image_generation_call", "code_interpreter_call", "local_shell_call", "shell_call", "apply_patch_call",
    "tool_search_call", "mcp_list_tools", "mcp_approval_request", "mcp_call", "program",
})  # fmt: skip
"""What only one side says. Any other item, an unknown one included, may be of the model or of the caller."""
