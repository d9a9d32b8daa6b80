"""Assemble the answer of one response from events that address its output items.

An answer is a list of items (message, function call, reasoning); each has one or more texts, its streams. An
event addresses an item by `output_index`, and by `item_id` where the server sends one:

    output_item.added  output_index 0, reasoning rs_1    opens the item at index 0
    output_item.added  output_index 1, message msg_1     opens the item at index 1
    output_text.delta  output_index 1, item_id msg_1     goes to msg_1
    output_text.delta  output_index 1, item_id msg_9     goes nowhere: counted as "foreign"
    output_text.delta  output_index 0, no item_id        goes nowhere: the item at index 0 is no message
    output_item.done   output_index 1, message msg_1     closes msg_1 with its final texts

So an event belongs to the item that was announced last at its index, if its kind and its id agree. Servers
that send no index announce one item after the other, and share the index None. Servers that announce nothing
get an item at the first delta; a function call cannot be opened so, because only the item carries its
`call_id`. At the end of the response `Answer.output` merges the whole output that it repeats.
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
from service.wire.server_events import Item, ServerEvent, read_item, read_output
from service.wire.streams import Stream
from service.wire.tally import Tally

_T = TypeVar("_T", MessageItem, CallItem, ReasoningItem)


class Answer:
    """The answer so far. Events that belong to none of its items are counted in the tally and dropped."""

    __slots__ = ("_at", "_bounds", "_items", "_parts", "_tally")

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._bounds = Bounds()
        self._parts = Parts(self._bounds)
        self._items: list[OutputItem] = []
        # By output_index: the item announced there last. None: the server sends no index.
        self._at: dict[int | None, OutputItem] = {}

    @property
    def size(self) -> int:
        return self._bounds.size

    def message(self, *, ended: bool) -> Message:
        """Return the message so far, without incomplete tool calls. `ended`: the response is complete."""
        parts = (growing.part(ended) for growing in self._parts.growing)
        return Message(Role.ASSISTANT, tuple(part for part in parts if part is not None))

    def forget(self) -> None:
        """Drop the parts once the final message is made of them."""
        self._parts.growing.clear()

    # Each of these five returns the stream that a delta extends, or None when it belongs to no item.

    def text(self, event: ServerEvent) -> Stream | None:
        message = self._addressed(event, MessageItem)
        return message.stream(event.content_index or 0, refusal=False) if message else None

    def refusal(self, event: ServerEvent) -> Stream | None:
        message = self._addressed(event, MessageItem)
        return message.stream(event.content_index or 0, refusal=True) if message else None

    def arguments(self, event: ServerEvent) -> Stream | None:
        call = self._addressed(event, CallItem)
        return call.stream if call else None

    def summary(self, event: ServerEvent) -> Stream | None:
        reasoning = self._addressed(event, ReasoningItem)
        return reasoning.stream(ReasoningKind.SUMMARY, event.summary_index or 0) if reasoning else None

    def reasoning(self, event: ServerEvent) -> Stream | None:
        reasoning = self._addressed(event, ReasoningItem)
        return reasoning.stream(ReasoningKind.TEXT, event.content_index or 0) if reasoning else None

    # Whole items

    def item_added(self, event: ServerEvent) -> list[Event]:
        item = self._read(event.item)
        # A call cannot be reported before it has a call_id.
        if item is None or (item.type == CallItem.kind and not item.call_id):
            return []
        known = self._at.get(event.output_index)
        if known is not None and (_is_named(known, item) or (_may_be(known, item) and not known.id)):
            known.learn(item)
            return []
        return self._begin(item, event.output_index)

    def item_done(self, event: ServerEvent) -> list[Event]:
        item = self._read(event.item)
        if item is None:
            return []
        known = self._at.get(event.output_index)
        if known is not None and (_is_named(known, item) or _may_be(known, item)):
            return self._close(known, item)
        return self._begin(item, event.output_index) + self._close(self._items[-1], item)

    def output(self, raw: Raw) -> list[Event]:
        """Merge the output that the end of the response repeats, and return the events that were missing.

        Some servers change the ids of items there, so each repeated item is matched, in this order, to
        1. the item of the same name (the call_id of a call, the id of anything else);
        2. the first item of its kind that no entry of the output names; not for calls, which keep their ids;
        3. a new item.
        """
        raws = read_output(raw)
        self._bounds.listed(raws)
        items = [item for raw in raws if (item := self._read(raw))]
        named: dict[Name | None, OutputItem] = {}
        free: dict[str, deque[OutputItem]] = {kind: deque() for kind in KINDS}
        names = {name_of(item) for item in items} - {None}
        for streamed in self._items:
            named.setdefault(streamed.name, streamed)
            if streamed.name not in names:
                free[streamed.kind].append(streamed)
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
        return [begun.stream.make_delta("")] if isinstance(begun, CallItem) else []

    def _close(self, known: OutputItem, item: Item) -> list[Event]:
        known.learn(item)
        known.closed = True
        return known.settle(item, self._tally)

    def _addressed(self, event: ServerEvent, kind: type[_T]) -> _T | None:
        item = self._at.get(event.output_index)
        if item is None and kind is not CallItem:
            # Some servers announce no items. A call needs it: only its item carries the call_id.
            self._bounds.names(event.item_id)
            self._begin(Item(kind.kind, event.item_id), event.output_index)
            item = self._items[-1]
        if isinstance(item, kind) and (event.item_id == item.id or not (event.item_id and item.id)):
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
