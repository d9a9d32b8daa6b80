"""The events of a turn that a caller sees: started, deltas, progress, completed. Equal for all transports."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from service.domain.messages import Message


class StopReason(Enum):
    STOP = "stop"
    TOOL_USE = "tool_use"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    ACTION_REQUIRED = "action_required"
    """The model waits for something other than the result of a function or a custom tool."""


class ReasoningKind(Enum):
    SUMMARY = "summary"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. Cached and cache-write are part of input, reasoning of output.

    `details_json` is the upstream's usage as it wrote it; empty: it sent none.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    details_json: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The upstream began the response. `created_at` is in seconds of the epoch; 0: not reported."""

    response_id: str
    model: str
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class TextDelta:
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    content_index: int
    delta: str
    kind: ReasoningKind = ReasoningKind.SUMMARY


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """`delta` appends to the arguments; it is empty when the call is first seen."""

    content_index: int
    delta: str
    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ItemProgress:
    """What the upstream says of an item that has no delta of its own. `json` is its event, verbatim."""

    content_index: int
    item_type: str
    event_type: str
    json: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The response ended. `continuable`: it was not cut short, so the next turn may continue from it.

    `service_tier` is the one that the upstream used; empty: it did not say. `continuation` is the token that
    continues a stored response, sealed; empty: there is none.
    """

    response_id: str
    model: str
    created_at: float
    message: Message
    stop_reason: StopReason
    usage: Usage
    continuable: bool
    service_tier: str = ""
    continuation: str = field(default="", repr=False)


Delta = TextDelta | RefusalDelta | ReasoningDelta | ToolCallDelta
Event = Started | Delta | ItemProgress | Completed
