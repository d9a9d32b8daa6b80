"""Compaction: what stands for an earlier conversation, and the answer to a request for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.events import Usage
from service.domain.item_types import COMPACTIONS
from service.domain.messages import Message, Part, UpstreamItemPart


@dataclass(frozen=True, slots=True)
class Compacted:
    """A compacted conversation. As a request's messages, it is what the upstream has answered, unchanged.

    `response_id` is the upstream's id of the compaction, `created_at` in seconds of the epoch; 0: not
    reported. `usage` is None where the upstream reported none. `ignored`: what was not understood, and how
    often. `size`: of the answer, in bytes. `upstream`: the name of the one that has answered.
    """

    response_id: str
    created_at: float
    messages: tuple[Message, ...]
    usage: Usage | None
    ignored: Mapping[str, int]
    size: int
    upstream: str = ""


def is_compaction(part: Part) -> bool:
    """Return whether the part stands for what was said before it."""
    return isinstance(part, UpstreamItemPart) and part.type in COMPACTIONS
