"""Output items that are texts: messages and reasoning."""

from __future__ import annotations

from functools import partial

from msgspec import Raw

from service.domain.events import Event, ReasoningDelta, ReasoningKind, RefusalDelta, TextDelta
from service.domain.messages import Part, ReasoningPart, RefusalPart, TextPart
from service.wire.bounds import Bounds, size_of
from service.wire.item_json import TEXTS, Content, Item
from service.wire.output_items import Head, OutputItem, Parts, VerbatimPart
from service.wire.streams import Stream
from service.wire.tally import Tally


class _GrowingText:
    """A text or a refusal, and what the upstream says about it. Only the first of an item has its keys."""

    __slots__ = ("_first", "_head", "_refusal", "annotations", "logprobs", "stream")

    def __init__(self, stream: Stream, head: Head, *, refusal: bool, first: bool) -> None:
        self.stream = stream
        self.annotations = self.logprobs = ""
        self._head = head
        self._refusal = refusal
        self._first = first

    def part(self, _: bool) -> Part:
        text, head = self.stream.text, self._head
        extra = head.extra_json if self._first else ""
        if self._refusal:
            return RefusalPart(text, head.id, extra)
        return TextPart(text, head.phase, self.annotations, self.logprobs, head.id, extra)

    def annotate(self, content: Content, bounds: Bounds) -> None:
        """Take over what was not said before."""
        if len(content.annotations) > len(b"[]") and not self.annotations:
            self.annotations = _entries(content.annotations, bounds)
        if len(content.logprobs) > len(b"[]") and not self.logprobs:
            self.logprobs = _entries(content.logprobs, bounds)


class MessageItem(OutputItem):
    """Texts and refusals, each a part."""

    __slots__ = ("_annotations", "_counted", "_texts")

    def __init__(self, parts: Parts, item: Item) -> None:
        super().__init__(parts, item)
        self._texts: dict[tuple[int, bool], _GrowingText] = {}
        self._counted = True  # the upstream says which content a delta belongs to
        self._annotations: dict[int, list[str]] | None = None

    @property
    def content(self) -> str:
        return "".join(self._texts[key].stream.text for key in sorted(self._texts))

    def stream(self, content_index: int | None, *, refusal: bool) -> Stream:
        """Return the stream of the content part; create it if it is new."""
        if content_index is None:
            content_index, self._counted = 0, False
        return self._text(content_index, refusal=refusal).stream

    def annotate(self, content_index: int | None, annotation: str) -> None:
        """Keep a citation in case that the final text does not repeat it."""
        self.parts.bounds.text(size_of(annotation))
        self._annotations = self._annotations or {}
        self._annotations.setdefault(content_index or 0, []).append(annotation)

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        if item.verbatim and not self._texts and self.content_index is None:
            self._keep(item)
        self.parts.bounds.listed(item.content)
        contents = list(enumerate(item.content or ()))
        if not self._counted:
            contents = _joined(contents)
        events: list[Event] = []
        for index, content in contents:
            if content.type in TEXTS:
                text = self._text(index, refusal=False)
                events += text.stream.settle(content.text, tally, closed=self.closed)
                text.annotate(content, self.parts.bounds)
            elif content.type == "refusal":
                refusal = self._text(index, refusal=True)
                events += refusal.stream.settle(content.refusal or content.text, tally, closed=self.closed)
            else:
                tally.note(f"content:{content.type}")
        if self._annotations:
            self._cite(self._annotations)
        return events

    def _keep(self, item: Item) -> None:
        """Keep the item as it is: none of its contents has a part."""
        self.content_index = self.parts.place()
        whole = VerbatimPart(item, self.head)
        whole.take(item, self.parts.bounds)
        whole.closed = True
        self.parts.growing.append(whole)

    def _text(self, content_index: int, *, refusal: bool) -> _GrowingText:
        text = self._texts.get((content_index, refusal))
        if text is None:
            parts = self.parts
            self.content_index = parts.place()
            make = partial(RefusalDelta if refusal else TextDelta, self.content_index)
            text = _GrowingText(Stream(make, parts.bounds), self.head, refusal=refusal, first=not self._texts)
            self._texts[content_index, refusal] = text
            parts.growing.append(text)
        return text

    def _cite(self, annotations: dict[int, list[str]]) -> None:
        for index, cited in annotations.items():
            text = self._texts.get((index, False))
            if text is not None and not text.annotations:
                text.annotations = f"[{','.join(cited)}]"


class _GrowingReasoning:
    """Reasoning: one part of several paragraphs."""

    __slots__ = ("_head", "encrypted_content", "split", "streams")

    def __init__(self, head: Head) -> None:
        self._head = head
        self.encrypted_content = ""
        self.streams: dict[tuple[ReasoningKind, int], Stream] = {}
        # The final paragraphs where all of them were streamed as the first.
        self.split: dict[ReasoningKind, tuple[str, ...]] = {}

    def part(self, ended: bool) -> Part | None:
        if not (ended or self.streams or self.encrypted_content):
            return None  # it was only announced
        summary, content = self.paragraphs(ReasoningKind.SUMMARY), self.paragraphs(ReasoningKind.TEXT)
        return ReasoningPart(self._head.id, summary, self.encrypted_content, content, self._head.extra_json)

    def paragraphs(self, kind: ReasoningKind) -> tuple[str, ...]:
        if kind in self.split:
            return self.split[kind]
        numbers = sorted(number for known, number in self.streams if known is kind)
        return tuple(self.streams[kind, number].text for number in numbers)


class ReasoningItem(OutputItem):
    """An item that is one part of several paragraphs.

    Without visible text it is a part, too: its encrypted content must be sent back.
    """

    __slots__ = ("_counted", "_index", "_reasoning")

    def __init__(self, parts: Parts, item: Item) -> None:
        super().__init__(parts, item)
        self._counted = True  # the upstream says which paragraph a delta belongs to
        self._index = self.content_index = parts.place()
        self._reasoning = _GrowingReasoning(self.head)
        parts.growing.append(self._reasoning)

    @property
    def content(self) -> str:
        return "".join(text for kind in ReasoningKind for text in self._reasoning.paragraphs(kind))

    @property
    def seal(self) -> str:
        return self._reasoning.encrypted_content

    def stream(self, kind: ReasoningKind, paragraph: int | None) -> Stream:
        """Return the stream of the paragraph; create it if it is new."""
        if paragraph is None:
            paragraph, self._counted = 0, False
        streams = self._reasoning.streams
        stream = streams.get((kind, paragraph))
        if stream is None:
            bounds, make = self.parts.bounds, partial(ReasoningDelta, self._index, kind=kind)
            bounds.part()
            stream = streams[kind, paragraph] = Stream(make, bounds)
        return stream

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        self._seal(item.encrypted_content or "")
        events: list[Event] = []
        for kind, paragraphs in ((ReasoningKind.SUMMARY, item.summary), (ReasoningKind.TEXT, item.content)):
            self.parts.bounds.listed(paragraphs)
            texts = [paragraph.text or "" for paragraph in paragraphs or ()]
            if len(texts) > 1 and not self._counted:
                events += self.stream(kind, 0).settle("".join(texts), tally, closed=self.closed)
                if self.stream(kind, 0).text == "".join(texts):
                    self._reasoning.split[kind] = tuple(texts)
                continue
            for number, text in enumerate(texts):
                events += self.stream(kind, number).settle(text, tally, closed=self.closed)
        return events

    def _seal(self, encrypted_content: str) -> None:
        sealed = self._reasoning.encrypted_content
        if encrypted_content and encrypted_content != sealed and not (self.closed and sealed):
            self.parts.bounds.text(size_of(encrypted_content))
            self._reasoning.encrypted_content = encrypted_content


def _joined(contents: list[tuple[int, Content]]) -> list[tuple[int, Content]]:
    """Join the texts where all were streamed as the first: what was emitted cannot be split."""
    texts = [content for _, content in contents if content.type in TEXTS]
    if len(texts) < 2:
        return [(0, content) for _, content in contents]
    whole = Content("output_text", "".join(content.text or "" for content in texts))
    return [(0, whole), *(entry for entry in contents if entry[1].type not in TEXTS)]


def _entries(raw: Raw, bounds: Bounds) -> str:
    """Return a list as JSON; empty where it is none or has no entries."""
    text = bytes(raw).decode()
    if not text.startswith("[") or not text[1:-1].strip():
        return ""
    bounds.text(size_of(text))
    return text
