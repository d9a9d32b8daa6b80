"""What happens in a turn, as the caller may know it.

Owns the events and how waiting deltas become one. Must never know which transport or dialect brought them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from service.domain.messages import Message

MERGE_CHARACTERS = 16 * 1024
"""How long a merged delta may be: at most 64 KiB of UTF-8, whatever the characters."""


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
    """The upstream began the response. `created_at` is in seconds of the epoch; 0: it did not say."""

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
    """The response ended well. `continuable`: the next turn may build on it (it ran to its own end)."""

    response_id: str
    model: str
    created_at: float
    message: Message
    stop_reason: StopReason
    usage: Usage
    continuable: bool


Delta = TextDelta | RefusalDelta | ReasoningDelta | ToolCallDelta
Event = Started | Delta | Completed


def merge(batch: Iterable[Event]) -> Iterator[Event]:
    """The batch with neighbouring deltas of one part as one, each at most `MERGE_CHARACTERS` long.

    A delta that is longer alone stays as it is: it is never cut.
    """
    held: list[Delta] = []
    size = 0
    for event in batch:
        if isinstance(event, Started | Completed):
            yield from _joined(held)
            held = []
            yield event
            continue
        if held and not (_same_part(held[-1], event) and size + len(event.delta) <= MERGE_CHARACTERS):
            yield from _joined(held)
            held = []
        size = size + len(event.delta) if held else len(event.delta)
        held.append(event)
    yield from _joined(held)


def _same_part(one: Delta, other: Delta) -> bool:
    if type(one) is not type(other) or one.content_index != other.content_index:
        return False
    return not isinstance(one, ReasoningDelta) or one.kind is other.kind  # type: ignore[union-attr]


def _joined(held: list[Delta]) -> Iterator[Delta]:
    if len(held) == 1:
        yield held[0]
    elif held:
        yield replace(held[0], delta="".join(event.delta for event in held))
