"""Which parts, and which items of the upstream, may occur where."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.item_types import CALLER_ONLY, MODEL_ONLY
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
