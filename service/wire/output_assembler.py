"""The answer of one response, put together from its events.

Owns which event belongs to which item. Must never know how a response begins or ends. The rule that would be
broken first: what is addressed to another item than the one announced there is not ours.
"""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from msgspec import Raw

from service.domain.events import Event, ReasoningKind
from service.domain.messages import Message, Role
from service.wire.bounds import Bounds
from service.wire.output_items import (
    KINDS,
    CallItem,
    MessageItem,
    Name,
    OutputItem,
    Parts,
    ReasoningItem,
    name_of,
)
from service.wire.server_events import Frame, Item, read_item, read_output
from service.wire.streams import Stream
from service.wire.tally import Tally

_T = TypeVar("_T", MessageItem, CallItem, ReasoningItem)


class Answer:
    """Grows by one event at a time. What it cannot place it counts and leaves."""

    __slots__ = ("_at", "_bounds", "_items", "_parts", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._bounds = Bounds()
        self._parts = Parts(self._bounds)
        self._items: list[OutputItem] = []
        # By output_index: the item announced there last. Servers that give no index announce one item after
        # the other.
        self._at: dict[int | None, OutputItem] = {}

    @property
    def size(self) -> int:
        return self._bounds.size

    def message(self, *, ended: bool) -> Message:
        """The message so far, without a tool call that is not whole. `ended`: the response ran to its end."""
        parts = (growing.part(ended) for growing in self._parts.growing)
        return Message(Role.ASSISTANT, tuple(part for part in parts if part is not None))

    def forget(self) -> None:
        """Drop the parts: the message that was made of them is all that is needed from now on."""
        self._parts.growing.clear()

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
        if known is not None and (_is_named(known, item) or (_may_be(known, item) and not known.id)):
            known.learn(item)
            return []
        return self._begin(item, frame.output_index)

    def item_done(self, frame: Frame) -> list[Event]:
        item = self._read(frame.item)
        if item is None:
            return []
        known = self._at.get(frame.output_index)
        if known is not None and (_is_named(known, item) or _may_be(known, item)):
            return self._close(known, item)
        return self._begin(item, frame.output_index) + self._close(self._items[-1], item)

    def output(self, raw: Raw) -> list[Event]:
        """The output as the end of the response repeats it.

        Ids of items are not the same there with every server, so an item is, in this order,
        1. the one of its name;
        2. the first of its kind that nothing else in the output names (no call: all keep their call_ids);
        3. new.
        """
        raws = read_output(raw)
        self._bounds.listed(raws)
        items = [item for raw in raws if (item := self._read(raw))]
        named: dict[Name | None, OutputItem] = {}
        free: dict[str, deque[OutputItem]] = {kind: deque() for kind in KINDS}
        names = {name_of(item) for item in items} - {None}
        for told in self._items:
            named.setdefault(told.name, told)
            if told.name not in names:
                free[told.kind].append(told)
        free[CallItem.kind].clear()
        events: list[Event] = []
        for item in items:
            name = name_of(item)
            known = named.get(name) if name else None
            if known is None and free[item.type]:
                known = free[item.type].popleft()
            elif known is None:
                events += self._begin(item, None)
                known = self._items[-1]
            events += self._close(known, item)
            named.setdefault(known.name, known)
        return events

    def _read(self, raw: Raw) -> Item | None:
        item = read_item(raw)
        if isinstance(item, Item):
            self._bounds.names(item.id, item.call_id, item.name)
            return item
        self._tally.note(f"item:{item}")
        return None

    def _begin(self, item: Item, output_index: int | None) -> list[Event]:
        self._bounds.item()
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
            self._bounds.names(frame.item_id)
            self._begin(Item(kind.kind, frame.item_id), frame.output_index)
            item = self._items[-1]
        if isinstance(item, kind) and (frame.item_id == item.id or not (frame.item_id and item.id)):
            return item
        self._tally.note("foreign")
        return None


def _is_named(known: OutputItem, item: Item) -> bool:
    name = name_of(item)
    return name is not None and name == known.name


def _resembles(known: OutputItem, item: Item) -> bool:
    return known.kind == item.type != CallItem.kind


def _may_be(known: OutputItem, item: Item) -> bool:
    return _resembles(known, item) and not known.closed
