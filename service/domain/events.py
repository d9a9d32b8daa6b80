"""The events of a turn that a caller sees: started, deltas, completed. The same for every transport."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from service.domain.messages import Message


class StopReason(Enum):
    STOP = "stop"
    TOOL_USE = "tool_use"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"


class ReasoningKind(Enum):
    SUMMARY = "summary"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. Cached and cache-write are part of input, reasoning of output."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0


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
class Completed:
    """The response ended. `continuable`: it was not cut short, so the next turn may continue from it."""

    response_id: str
    model: str
    created_at: float
    message: Message
    stop_reason: StopReason
    usage: Usage
    continuable: bool


Delta = TextDelta | RefusalDelta | ReasoningDelta | ToolCallDelta
Event = Started | Delta | Completed
