"""Assemble the answer of one response from events that address its output items.

An answer is a list of items. A message, a call of a tool and reasoning have one or more texts, their streams;
any other item is kept as the upstream wrote it. `item_resolver` says which item an event belongs to:

    output_item.added  output_index 0, reasoning rs_1    opens the item at index 0
    output_item.added  output_index 1, message msg_1     opens the item at index 1
    output_text.delta  output_index 1, item_id msg_1     goes to msg_1
    output_item.done   output_index 1, message msg_1     closes msg_1 with its final texts
    output_text.delta  output_index 1, item_id msg_1     goes nowhere: counted as "late"

Servers that announce nothing get an item at the first delta; a call cannot be opened so, because only the
item carries its `call_id`. At the end of the response `Answer.output` merges the output that it repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from msgspec import Raw

from service.domain.events import Event, ItemProgress, ReasoningKind
from service.domain.messages import Message, Role
from service.wire import lenient
from service.wire.bounds import Bounds
from service.wire.call_items import CallItem, UpstreamItem, answered_in, is_waiting
from service.wire.item_json import Item, read_item, read_output
from service.wire.item_resolver import ItemResolver
from service.wire.output_items import OutputItem, Parts
from service.wire.server_events import ServerEvent
from service.wire.streams import Stream
from service.wire.tally import Tally
from service.wire.text_items import MessageItem, ReasoningItem

_T = TypeVar("_T", MessageItem, CallItem, ReasoningItem)

KINDS: dict[str, type[OutputItem]] = {
    "message": MessageItem,
    "function_call": CallItem,
    "custom_tool_call": CallItem,
    "reasoning": ReasoningItem,
}
"""Any other kind is an `UpstreamItem`."""

ANNOTATION = "response.output_text.annotation.added"


class Answer(ItemResolver):
    """The answer so far. Events that belong to none of its items are counted in the tally and dropped."""

    __slots__ = ("_bounds", "_ended", "_parts", "_tally")

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally
        self._bounds = Bounds()
        self._parts = Parts(self._bounds)
        # Hashes of the items that ended, as the upstream wrote them.
        self._ended: list[int] = []

    @property
    def size(self) -> int:
        return self._bounds.size

    @property
    def is_waiting(self) -> bool:
        """Whether the model waits for something other than the result of a function or a custom tool."""
        return is_waiting(self._upstream_items())

    @property
    def answered(self) -> set[str]:
        """The ids of the calls that need no result from the caller: the answer has it."""
        return answered_in(self._upstream_items())

    def _upstream_items(self) -> Iterator[UpstreamItem]:
        return (item for item in self.items if isinstance(item, UpstreamItem))

    def begin(self, response_id: str) -> None:
        self._parts.response_id = response_id

    def message(self, *, ended: bool) -> Message:
        """Return the message so far, without calls and items that are not complete.

        `ended`: the response is complete.
        """
        parts = (growing.part(ended) for growing in self._parts.growing)
        return Message(Role.ASSISTANT, tuple(part for part in parts if part is not None))

    def forget(self) -> None:
        """Drop the parts once the final message is made of them."""
        self._parts.growing.clear()

    # Each of these returns the stream that a delta extends, or None when it belongs to no item.

    def text(self, event: ServerEvent) -> Stream | None:
        message = self._addressed(event, MessageItem, "message")
        return message.stream(event.content_index, refusal=False) if message else None

    def refusal(self, event: ServerEvent) -> Stream | None:
        message = self._addressed(event, MessageItem, "message")
        return message.stream(event.content_index, refusal=True) if message else None

    def arguments(self, event: ServerEvent) -> Stream | None:
        call = self._addressed(event, CallItem, "function_call")
        return call.stream if call else None

    def input(self, event: ServerEvent) -> Stream | None:
        call = self._addressed(event, CallItem, "custom_tool_call")
        return call.stream if call else None

    def summary(self, event: ServerEvent) -> Stream | None:
        reasoning = self._addressed(event, ReasoningItem, "reasoning")
        return reasoning.stream(ReasoningKind.SUMMARY, event.summary_index) if reasoning else None

    def reasoning(self, event: ServerEvent) -> Stream | None:
        reasoning = self._addressed(event, ReasoningItem, "reasoning")
        return reasoning.stream(ReasoningKind.TEXT, event.content_index) if reasoning else None

    # Whole items

    def item_added(self, event: ServerEvent) -> list[Event]:
        item = self._read(event.item)
        # A call cannot be reported before it has a call_id.
        if item is None or (KINDS.get(item.type) is CallItem and not item.call_id):
            return []
        known = self.announced(item, event.output_index)
        if known is None:
            return self._begin(item, event.output_index, announced=True)[1]
        if not known.closed:
            self.learn(known, item)
        known.announced = True
        return []

    def item_done(self, event: ServerEvent) -> list[Event]:
        item = self._read(event.item)
        if item is None:
            return []
        self._ended.append(hash(bytes(event.item)))
        known = self.ending(item, event.output_index)
        if known is not None:
            return self._close(known, item)
        known, opened = self._begin(item, event.output_index)
        return opened + self._close(known, item)

    def output(self, raw: Raw) -> list[Event]:
        """Merge the output that the end of the response repeats, and return the events that were missing."""
        raws = read_output(raw, self._tally)
        if self._ended == [hash(bytes(raw)) for raw in raws]:
            return []  # nearly all: it is what ended, word for word
        self._bounds.listed(raws)
        items = [item for raw in raws if (item := self._read(raw))]
        events: list[Event] = []
        for item, known in self.final(items):
            begun, opened = (known, []) if known else self._begin(item, None)
            events += opened + self._close(begun, item)
        return events

    def progress(self, event: ServerEvent, frame: str | bytes) -> list[Event]:
        """Return the event as progress of the item that it tells of."""
        known = self.mentioned(event.item_id, event.output_index, event.type)
        if known is None or known.content_index is None:
            self._tally.note(event.type)
            return []
        json = str(frame)
        if event.type == ANNOTATION and isinstance(known, MessageItem):
            annotation = lenient.fields_of(json).get("annotation", Raw())
            if not lenient.is_nothing(annotation):
                known.annotate(event.content_index, bytes(annotation).decode())
        shown = json if self._bounds.progress(len(json)) else ""
        return [ItemProgress(known.content_index, known.kind, event.type, shown)]

    def _read(self, raw: Raw) -> Item | None:
        if lenient.is_nothing(raw):
            self._tally.skip("item")
            return None
        item = read_item(raw, self._tally)
        if item is not None:
            self._bounds.names(item.id, item.call_id, item.name)
        return item

    def _begin(
        self, item: Item, output_index: int | None, *, announced: bool = False
    ) -> tuple[OutputItem, list[Event]]:
        self._bounds.item()
        begun = KINDS.get(item.type, UpstreamItem)(self._parts, item)
        begun.announced = announced
        self.add(begun, output_index)
        return begun, begun.open()

    def _close(self, known: OutputItem, item: Item) -> list[Event]:
        if known.closed:
            known.learn(item)
            return known.settle(item, self._tally)
        self.learn(known, item)
        events = known.settle(item, self._tally)
        self.close(known)
        return events

    def _addressed(self, event: ServerEvent, kind: type[_T], name: str) -> _T | None:
        item = self.growing(name, event.item_id, event.output_index)
        if item is None and kind is not CallItem:
            if self.is_late(name, event.item_id, event.output_index):
                self._tally.note("late")
                return None
            # Some servers announce no items. A call needs it: only its item carries the call_id.
            self._bounds.names(event.item_id)
            item, _ = self._begin(Item(name, event.item_id), event.output_index)
        if isinstance(item, kind):
            return item
        self._tally.note("unplaced")
        return None
