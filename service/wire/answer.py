"""The answer of one response, put together from its events.

Owns which event belongs to which item. Must never know how a response begins or ends. The rule that would be
broken first: what is addressed to another item than the one announced there is not ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Raw

from service.domain.events import Event, ReasoningKind
from service.domain.messages import Message, Role
from service.wire.frames import Frame, Item, read_item
from service.wire.parts import KINDS, CallItem, MessageItem, OutputItem, Parts, ReasoningItem, Stream
from service.wire.tally import Tally

_T = TypeVar("_T", MessageItem, CallItem, ReasoningItem)


class Answer:
    """Grows by one event at a time. What it cannot place it counts and leaves."""

    __slots__ = ("_at", "_items", "_parts", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._parts: Parts = []
        self._items: list[OutputItem] = []
        # By output_index: the item announced there last. Servers that give no index announce one item after
        # the other.
        self._at: dict[int | None, OutputItem] = {}

    def message(self, *, ended: bool) -> Message:
        """The message so far, without a tool call that is not whole. `ended`: the response ran to its end."""
        parts = (part(ended) for part in self._parts)
        return Message(Role.ASSISTANT, tuple(part for part in parts if part is not None))

    def forget(self) -> None:
        """Lets go of the parts, which hold their items, which hold the parts: the collector need not come."""
        self._parts.clear()

    # Where a piece of text goes. None: nowhere.

    def text(self, frame: Frame) -> Stream | None:
        message = self._addressed(frame, MessageItem)
        return message.stream(frame.content_index or 0, refusal=False) if message else None

    def refusal(self, frame: Frame) -> Stream | None:
        message = self._addressed(frame, MessageItem)
        return message.stream(frame.content_index or 0, refusal=True) if message else None

    def arguments(self, frame: Frame) -> Stream | None:
        call = self._addressed(frame, CallItem)
        return call.stream if call else None

    def summary(self, frame: Frame) -> Stream | None:
        reasoning = self._addressed(frame, ReasoningItem)
        return reasoning.stream(ReasoningKind.SUMMARY, frame.summary_index or 0) if reasoning else None

    def reasoning(self, frame: Frame) -> Stream | None:
        reasoning = self._addressed(frame, ReasoningItem)
        return reasoning.stream(ReasoningKind.TEXT, frame.content_index or 0) if reasoning else None

    # Whole items

    def item_added(self, frame: Frame) -> list[Event]:
        item = self._read(frame.item)
        # A call that has no call_id yet cannot be told of yet.
        if item is None or (item.type == CallItem.kind and not item.call_id):
            return []
        known = self._at.get(frame.output_index)
        if known is not None and (known.is_named(item) or (_may_be(known, item) and not known.id)):
            known.learn(item)
            return []
        return self._begin(item, frame.output_index)

    def item_done(self, frame: Frame) -> list[Event]:
        item = self._read(frame.item)
        if item is None:
            return []
        known = self._at.get(frame.output_index)
        if known is not None and (known.is_named(item) or _may_be(known, item)):
            return self._close(known, item)
        return self._begin(item, frame.output_index) + self._close(self._items[-1], item)

    def output(self, raws: Iterable[Raw]) -> list[Event]:
        """The output as the end of the response repeats it.

        Ids of items are not the same there with every server, so an item is, in this order,
        1. the one of its name;
        2. the first of its kind that nothing else in the output names (no call: all keep their call_ids);
        3. new.
        """
        items = [item for raw in raws if (item := self._read(raw))]
        free = [known for known in self._items if not any(known.is_named(item) for item in items)]
        events: list[Event] = []
        for item in items:
            named = next((known for known in self._items if known.is_named(item)), None)
            known = named or next((known for known in free if _resembles(known, item)), None)
            if known is None:
                events += self._begin(item, None)
                known = self._items[-1]
            elif known in free:
                free.remove(known)
            events += self._close(known, item)
        return events

    def _read(self, raw: Raw) -> Item | None:
        item = read_item(raw)
        if isinstance(item, Item):
            return item
        self._tally.note(f"item:{item}")
        return None

    def _begin(self, item: Item, output_index: int | None) -> list[Event]:
        begun = KINDS[item.type](self._parts, item)
        self._items.append(begun)
        self._at[output_index] = begun
        return [begun.stream.tell("")] if isinstance(begun, CallItem) else []

    def _close(self, known: OutputItem, item: Item) -> list[Event]:
        known.learn(item)
        known.closed = True
        return known.settle(item, self._tally)

    def _addressed(self, frame: Frame, kind: type[_T]) -> _T | None:
        item = self._at.get(frame.output_index)
        if item is None and kind is not CallItem:
            # Some servers announce nothing. Only a call cannot do without: its call_id is nowhere else.
            self._begin(Item(kind.kind, frame.item_id), frame.output_index)
            item = self._items[-1]
        if isinstance(item, kind) and (frame.item_id == item.id or not (frame.item_id and item.id)):
            return item
        self._tally.note("foreign")
        return None


def _resembles(known: OutputItem, item: Item) -> bool:
    return known.kind == item.type != CallItem.kind


def _may_be(known: OutputItem, item: Item) -> bool:
    return _resembles(known, item) and not known.closed
