"""What a turn sends of the conversation: `Plan`, and the reasons for it.

A previous_response_id is sent with a strict suffix of the items and only with that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from service.domain.messages import Item


class ContextReason(Enum):
    """Why a turn was full or incremental. The values are part of the contract
    (`TurnReport.context_reason`).
    """

    CONTINUED = "continued"
    PRIMED = "primed"
    FIRST_TURN = "first_turn"
    HISTORY_EDITED = "history_edited"
    EMPTY_SUFFIX = "empty_suffix"
    MODEL_CHANGED = "model_changed"
    INSTRUCTIONS_CHANGED = "instructions_changed"
    TOOLS_CHANGED = "tools_changed"
    REASONING_CHANGED = "reasoning_changed"
    TEXT_FORMAT_CHANGED = "text_format_changed"
    STORE_CHANGED = "store_changed"
    TRUNCATION_CHANGED = "truncation_changed"
    CONTEXT_MANAGEMENT_CHANGED = "context_management_changed"
    EXTRA_BODY_CHANGED = "extra_body_changed"
    TURN_NOT_COMPLETED = "turn_not_completed"
    CHAIN_LOST = "chain_lost"
    CHAINING_UNSUPPORTED = "chaining_unsupported"
    NEW_CONNECTION = "new_connection"
    UPSTREAM_CHANGED = "upstream_changed"
    HISTORY_TOO_LONG = "history_too_long"
    TOKEN_REFUSED = "token_refused"  # noqa: S105  a reason, no password
    FORK = "fork"
    SSE = "sse"


ChainFingerprint = Mapping[ContextReason, bytes]
"""The settings that a chain was made with: for each reason that can break it, a digest of what was sent."""

MINIMAL_BASIS = frozenset(
    {
        ContextReason.MODEL_CHANGED,
        ContextReason.STORE_CHANGED,
        ContextReason.TRUNCATION_CHANGED,
        ContextReason.CONTEXT_MANAGEMENT_CHANGED,
    }
)
"""What a chain depends on: these say what the upstream keeps of a conversation, and how. All other settings
travel with each request, so a changed one is sent and counts from then on.
"""

STRICT_BASIS = MINIMAL_BASIS | {
    ContextReason.INSTRUCTIONS_CHANGED,
    ContextReason.TOOLS_CHANGED,
    ContextReason.REASONING_CHANGED,
    ContextReason.TEXT_FORMAT_CHANGED,
    ContextReason.EXTRA_BODY_CHANGED,
}
"""All that a fingerprint holds: for upstreams that compare the settings of a request with those before."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a turn sends of the conversation.

    Either full (`previous_response_id` is empty, `items` are all) or incremental (`items` are a non-empty
    suffix, and the upstream has everything before it). `bytes_known`: the bytes that the omitted items would
    take. `changed`: the settings that differ from those of the chain, though it does not depend on them.
    `asked_effort`: the reasoning effort that the request asks for; None: the caller's. `update`: the effort
    that goes as an item before the others; empty: none does (`domain/effort.py`).
    """

    items: tuple[Item, ...]
    previous_response_id: str
    reason: ContextReason
    bytes_known: int = 0
    changed: tuple[ContextReason, ...] = ()
    asked_effort: str | None = None
    update: str = ""

    @property
    def incremental(self) -> bool:
        return bool(self.previous_response_id)
