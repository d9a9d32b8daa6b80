"""What the model says, growing: the output items that have parts, and the streams of text in them.

Owns how pieces become a domain part, and what holds when the upstream's last word is longer than the pieces,
or another. Must never know frames, or where a piece came from. The rule that would be broken first: what was
streamed is never taken back; a delta only appends.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

from service.domain.errors import Reason, TurnError
from service.domain.events import (
    Delta,
    Event,
    ReasoningDelta,
    ReasoningKind,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from service.domain.messages import Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from service.wire.frames import Item
from service.wire.tally import Tally

MERGE_CHARACTERS = 16 * 1024
"""How long a merged delta may be: at most 64 KiB of UTF-8, whatever the characters."""

Parts = list[Callable[[bool], Part | None]]
"""The parts of the answer in the order of their appearance, shared by its items: a part's place is its index.

Each gives the part as far as it came. Asked with True when the response ran to its own end. None: it is not
whole.
"""


class Stream:
    """One text that arrives in pieces. `tell` makes the delta of a piece."""

    __slots__ = ("_pieces", "tell")

    def __init__(self, tell: Callable[[str], Delta]) -> None:
        self.tell = tell
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def grow(self, piece: str) -> None:
        self._pieces.append(piece)

    def settle(self, final: str | None, tally: Tally) -> list[Event]:
        """What the pieces lack of the final text. It stands, also where it is another text than they made.

        A server that repeats nothing (null, or an empty text) contradicts nothing.
        """
        if not final:
            return []
        streamed = self.text
        self._pieces = [final]
        if not final.startswith(streamed):
            tally.note("contradiction")
            return []
        return [self.tell(final[len(streamed) :])] if len(final) > len(streamed) else []


class Run:
    """Neighbouring pieces of one stream, on their way to one delta of at most `MERGE_CHARACTERS`.

    A piece that is longer alone stays as it is: it is never cut.
    """

    __slots__ = ("_events", "_pieces", "_size", "_stream")

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._pieces: list[str] = []
        self._size = 0
        self._stream: Stream | None = None

    def add(self, stream: Stream, piece: str) -> None:
        if stream is not self._stream or self._size + len(piece) > MERGE_CHARACTERS:
            self.end()
            self._stream = stream
        stream.grow(piece)
        self._pieces.append(piece)
        self._size += len(piece)

    def end(self) -> None:
        """What was gathered is told."""
        if self._stream is not None:
            self._events.append(self._stream.tell("".join(self._pieces)))
            self._pieces, self._size, self._stream = [], 0, None


class MessageItem:
    """Texts and refusals, each a part. The phase of all may come behind the first words."""

    kind: ClassVar = "message"
    __slots__ = ("_parts", "_phase", "_streams", "closed", "id")

    def __init__(self, parts: Parts, item: Item) -> None:
        self.id = item.id or ""
        self.closed = False
        self._phase = item.phase or ""
        self._parts = parts
        self._streams: dict[tuple[int, bool], Stream] = {}

    def is_named(self, item: Item) -> bool:
        return item.type == self.kind and bool(self.id) and item.id == self.id

    def stream(self, content_index: int, *, refusal: bool) -> Stream:
        """The content part's stream, begun where it is new."""
        stream = self._streams.get((content_index, refusal))
        if stream is None:
            stream = Stream(partial(RefusalDelta if refusal else TextDelta, len(self._parts)))
            self._streams[content_index, refusal] = stream
            self._parts.append(lambda _: self._part(stream, refusal=refusal))
        return stream

    def learn(self, item: Item) -> None:
        self.id = item.id or self.id
        self._phase = item.phase or self._phase

    def settle(self, item: Item, tally: Tally) -> list[Event]:
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

    def _part(self, stream: Stream, *, refusal: bool) -> Part:
        return RefusalPart(stream.text) if refusal else TextPart(stream.text, self._phase)


class CallItem:
    """A tool call. Whole when it was closed or the response ran to its end, and nothing says it was cut."""

    kind: ClassVar = "function_call"
    __slots__ = ("_call_id", "_name", "_status", "closed", "id", "stream")

    def __init__(self, parts: Parts, item: Item) -> None:
        if not item.call_id:
            raise TurnError(Reason.PROTOCOL_ERROR, "the upstream sent a function call without call_id")
        self.id = item.id or ""
        self.closed = False
        self._status = ""
        # In a list, because the name may come later; and not by way of self, which holds the stream.
        self._call_id, self._name = call_id, name = item.call_id, [item.name or ""]
        index = len(parts)
        self.stream = Stream(lambda piece: ToolCallDelta(index, piece, call_id, name[0]))
        parts.append(self._part)

    def is_named(self, item: Item) -> bool:
        return item.type == self.kind and item.call_id == self._call_id

    def learn(self, item: Item) -> None:
        self.id = item.id or self.id
        self._name[0] = item.name or self._name[0]

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        self._status = item.status or ""
        return self.stream.settle(item.arguments, tally)

    def _part(self, ended: bool) -> Part | None:
        whole = self._status != "incomplete" and (ended or (self.closed and self._status != "in_progress"))
        return ToolCallPart(self._call_id, self._name[0], self.stream.text) if whole else None


class ReasoningItem:
    """One part of several paragraphs. It has no index until there is something of it to tell."""

    kind: ClassVar = "reasoning"
    __slots__ = ("_encrypted_content", "_index", "_parts", "_streams", "closed", "id")

    def __init__(self, parts: Parts, item: Item) -> None:
        self.id = item.id or ""
        self.closed = False
        self._index: int | None = None
        self._encrypted_content = ""
        self._parts = parts
        self._streams: dict[tuple[ReasoningKind, int], Stream] = {}

    def is_named(self, item: Item) -> bool:
        return item.type == self.kind and bool(self.id) and item.id == self.id

    def stream(self, kind: ReasoningKind, paragraph: int) -> Stream:
        """The paragraph's stream, begun where it is new."""
        stream = self._streams.get((kind, paragraph))
        if stream is None:
            stream = Stream(partial(ReasoningDelta, self._place(), kind=kind))
            self._streams[kind, paragraph] = stream
        return stream

    def learn(self, item: Item) -> None:
        self.id = item.id or self.id

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        # Also a thought that shows nothing has a part: what is sealed in it must come back.
        self._place()
        self._encrypted_content = item.encrypted_content or self._encrypted_content
        events: list[Event] = []
        for kind, told in ((ReasoningKind.SUMMARY, item.summary), (ReasoningKind.TEXT, item.content)):
            for paragraph, content in enumerate(told or ()):
                events += self.stream(kind, paragraph).settle(content.text, tally)
        return events

    def _place(self) -> int:
        if self._index is None:
            self._index = len(self._parts)
            self._parts.append(self._part)
        return self._index

    def _part(self, _: bool) -> Part:
        summary, content = self._paragraphs(ReasoningKind.SUMMARY), self._paragraphs(ReasoningKind.TEXT)
        return ReasoningPart(self.id, summary, self._encrypted_content, content)

    def _paragraphs(self, kind: ReasoningKind) -> tuple[str, ...]:
        numbers = sorted(number for known, number in self._streams if known is kind)
        return tuple(self._streams[kind, number].text for number in numbers)


OutputItem = MessageItem | CallItem | ReasoningItem
KINDS: dict[str, type[OutputItem]] = {kind.kind: kind for kind in (MessageItem, CallItem, ReasoningItem)}
