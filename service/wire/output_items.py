"""Hold the parts of an answer while they grow, and the output items that events address.

Items refer to their parts, and parts refer to no item. Without a reference cycle an answer that is dropped
in the middle is freed at once and does not wait for the garbage collector.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Protocol

from service.domain.errors import Reason, TurnError
from service.domain.events import (
    Event,
    ReasoningDelta,
    ReasoningKind,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from service.domain.messages import Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from service.wire.bounds import Bounds, size_of
from service.wire.server_events import Item
from service.wire.streams import Stream
from service.wire.tally import Tally

MAX_PHASE_CHARACTERS = 64
"""A longer phase is dropped: it is repeated in every part of its item."""

Name = tuple[str, str]
"""The kind of an item and what identifies it: the call_id of a call, the id of everything else."""


def name_of(item: Item) -> Name | None:
    """Return None when nothing identifies the item."""
    name = item.call_id if item.type == CallItem.kind else item.id
    return (item.type, name) if name else None


class GrowingPart(Protocol):
    """A part that may still be extended."""

    def part(self, ended: bool, /) -> Part | None:
        """Return the part so far. `ended`: the response is complete.

        Returns None for a tool call that is not complete.
        """


class Parts:
    """The parts of one answer in the order of their appearance, shared by its items."""

    __slots__ = ("bounds", "growing")

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.growing: list[GrowingPart] = []

    def place(self) -> int:
        """Return the index of the next part. Raises TurnError when there are too many."""
        self.bounds.part()
        return len(self.growing)


class _GrowingText:
    """A text or a refusal. The item sets its phase, maybe after the first delta: hence a shared list."""

    __slots__ = ("_phase", "_refusal", "stream")

    def __init__(self, stream: Stream, phase: list[str], *, refusal: bool) -> None:
        self.stream = stream
        self._phase = phase
        self._refusal = refusal

    def part(self, _: bool) -> Part:
        text = self.stream.text
        return RefusalPart(text) if self._refusal else TextPart(text, self._phase[0])


class MessageItem:
    """Texts and refusals, each a part."""

    kind: ClassVar = "message"
    __slots__ = ("_parts", "_phase", "_streams", "closed", "id")

    def __init__(self, parts: Parts, item: Item) -> None:
        self.id = item.id or ""
        self.closed = False
        self._phase = [_phase(item)]
        self._parts = parts
        self._streams: dict[tuple[int, bool], Stream] = {}

    @property
    def name(self) -> Name | None:
        return (self.kind, self.id) if self.id else None

    def stream(self, content_index: int, *, refusal: bool) -> Stream:
        """Return the stream of the content part; create it if it is new."""
        stream = self._streams.get((content_index, refusal))
        if stream is None:
            parts = self._parts
            stream = Stream(partial(RefusalDelta if refusal else TextDelta, parts.place()), parts.bounds)
            self._streams[content_index, refusal] = stream
            parts.growing.append(_GrowingText(stream, self._phase, refusal=refusal))
        return stream

    def learn(self, item: Item) -> None:
        self.id = item.id or self.id
        self._phase[0] = _phase(item) or self._phase[0]

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        self._parts.bounds.listed(item.content)
        events: list[Event] = []
        for index, content in enumerate(item.content or ()):
            match content.type:
                case "output_text":
                    events += self.stream(index, refusal=False).settle(content.text, tally)
                case "refusal":
                    events += self.stream(index, refusal=True).settle(content.refusal, tally)
                case kind:
                    tally.note(kind)
        return events


class _GrowingCall:
    """A tool call. It is complete when its item or the response ended, unless its status denies it."""

    __slots__ = ("call_id", "closed", "name", "status", "stream")

    def __init__(self, call_id: str, name: str, index: int, bounds: Bounds) -> None:
        self.call_id = call_id
        self.closed = False
        self.status = ""
        # A list, because the name may come later. The lambda captures it and not self: no reference cycle.
        self.name = names = [name]
        self.stream = Stream(lambda piece: ToolCallDelta(index, piece, call_id, names[0]), bounds)

    def part(self, ended: bool) -> Part | None:
        whole = self.status != "incomplete" and (ended or (self.closed and self.status != "in_progress"))
        return ToolCallPart(self.call_id, self.name[0], self.stream.text) if whole else None


class CallItem:
    """An item that is one tool call and one part."""

    kind: ClassVar = "function_call"
    __slots__ = ("_call", "closed", "id", "name", "stream")

    def __init__(self, parts: Parts, item: Item) -> None:
        if not item.call_id:
            raise TurnError(Reason.PROTOCOL_ERROR, "the upstream sent a function call without call_id")
        self.id = item.id or ""
        self.closed = False
        self.name: Name | None = (self.kind, item.call_id)
        self._call = _GrowingCall(item.call_id, item.name or "", parts.place(), parts.bounds)
        self.stream = self._call.stream
        parts.growing.append(self._call)

    def learn(self, item: Item) -> None:
        self.id = item.id or self.id
        self._call.name[0] = item.name or self._call.name[0]

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        self._call.closed, self._call.status = True, item.status or ""
        return self.stream.settle(item.arguments, tally)


class _GrowingReasoning:
    """Reasoning: one part of several paragraphs."""

    __slots__ = ("encrypted_content", "id", "streams")

    def __init__(self, item_id: str) -> None:
        self.id = item_id
        self.encrypted_content = ""
        self.streams: dict[tuple[ReasoningKind, int], Stream] = {}

    def part(self, _: bool) -> Part:
        summary, content = self._paragraphs(ReasoningKind.SUMMARY), self._paragraphs(ReasoningKind.TEXT)
        return ReasoningPart(self.id, summary, self.encrypted_content, content)

    def _paragraphs(self, kind: ReasoningKind) -> tuple[str, ...]:
        numbers = sorted(number for known, number in self.streams if known is kind)
        return tuple(self.streams[kind, number].text for number in numbers)


class ReasoningItem:
    """An item that is one part of several paragraphs. It has no index until it has content to report."""

    kind: ClassVar = "reasoning"
    __slots__ = ("_index", "_parts", "_reasoning", "closed")

    def __init__(self, parts: Parts, item: Item) -> None:
        self.closed = False
        self._index: int | None = None
        self._parts = parts
        self._reasoning = _GrowingReasoning(item.id or "")

    @property
    def id(self) -> str:
        return self._reasoning.id

    @property
    def name(self) -> Name | None:
        return (self.kind, self.id) if self.id else None

    def stream(self, kind: ReasoningKind, paragraph: int) -> Stream:
        """Return the stream of the paragraph; create it if it is new."""
        streams = self._reasoning.streams
        stream = streams.get((kind, paragraph))
        if stream is None:
            index, bounds = self._place(), self._parts.bounds
            bounds.part()
            stream = streams[kind, paragraph] = Stream(partial(ReasoningDelta, index, kind=kind), bounds)
        return stream

    def learn(self, item: Item) -> None:
        self._reasoning.id = item.id or self._reasoning.id

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        # Reasoning without visible text is a part, too: its encrypted content must be sent back.
        self._place()
        self._seal(item.encrypted_content or "")
        events: list[Event] = []
        for kind, paragraphs in ((ReasoningKind.SUMMARY, item.summary), (ReasoningKind.TEXT, item.content)):
            self._parts.bounds.listed(paragraphs)
            for paragraph, content in enumerate(paragraphs or ()):
                events += self.stream(kind, paragraph).settle(content.text, tally)
        return events

    def _seal(self, encrypted_content: str) -> None:
        if encrypted_content and encrypted_content != self._reasoning.encrypted_content:
            self._parts.bounds.text(size_of(encrypted_content))
            self._reasoning.encrypted_content = encrypted_content

    def _place(self) -> int:
        if self._index is None:
            self._index = self._parts.place()
            self._parts.growing.append(self._reasoning)
        return self._index


def _phase(item: Item) -> str:
    phase = item.phase or ""
    return phase if len(phase) <= MAX_PHASE_CHARACTERS else ""


OutputItem = MessageItem | CallItem | ReasoningItem
KINDS: dict[str, type[OutputItem]] = {kind.kind: kind for kind in (MessageItem, CallItem, ReasoningItem)}
