"""Hold the parts of an answer while they grow, and the output items that events address.

Items refer to their parts, and parts refer to no item. Without a reference cycle an answer that is dropped
in the middle is freed at once and does not wait for the garbage collector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from service.domain.events import Event
from service.domain.messages import Part, UpstreamItemPart
from service.wire.bounds import Bounds, size_of
from service.wire.item_json import Item
from service.wire.tally import Tally

MAX_PHASE_CHARACTERS = 64
"""A longer phase is dropped: it is repeated in every part of its item."""


class GrowingPart(Protocol):
    """A part that may still be extended."""

    def part(self, ended: bool, /) -> Part | None:
        """Return the part so far. `ended`: the response is complete.

        Returns None for a tool call or an upstream item that is not complete.
        """


class Parts:
    """The parts of one answer in the order of their appearance, shared by its items."""

    __slots__ = ("bounds", "growing", "response_id")

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.response_id = ""
        self.growing: list[GrowingPart] = []

    def place(self) -> int:
        """Return the index of the next part. Raises TurnError when there are too many."""
        self.bounds.part()
        return len(self.growing)


class Head:
    """What all parts of one item have in common, as far as the upstream has reported it."""

    __slots__ = ("extra_json", "id", "phase")

    def __init__(self, item: Item, bounds: Bounds) -> None:
        self.id = self.phase = self.extra_json = ""
        self.learn(item, bounds)

    def learn(self, item: Item, bounds: Bounds, *, closed: bool = False) -> None:
        """Take over what the item says; of one that is `closed` only what it has not said before."""
        item_id, phase, extra = item.id, item.phase, item.unnamed
        if item_id and not (closed and self.id):
            self.id = item_id
        if phase and len(phase) <= MAX_PHASE_CHARACTERS and not (closed and self.phase):
            self.phase = phase
        if extra and extra != self.extra_json and not (closed and self.extra_json):
            bounds.text(size_of(extra))
            self.extra_json = extra


class VerbatimPart:
    """An item as the upstream wrote it. It is complete when it or the response ended."""

    __slots__ = ("_head", "closed", "json", "type")

    def __init__(self, item: Item, head: Head) -> None:
        self.type = item.type
        self.json = ""
        self.closed = False
        self._head = head

    def part(self, ended: bool) -> Part | None:
        if not self.json or not (ended or self.closed):
            return None
        return UpstreamItemPart(self.type, self.json, self._head.id)

    def take(self, item: Item, bounds: Bounds) -> None:
        """Take over the item as it is now."""
        bounds.text(max(0, size_of(item.verbatim) - size_of(self.json)))
        self.json = item.verbatim


class OutputItem(ABC):
    """One item of the output. Each kind is a class of its own.

    `announced`: the upstream sent the item itself, and not only something that belongs to it.
    `closed`: it sent the item's end. A closed item is extended by what it lacked, and else never changed.
    `output_index` is None where the upstream sends none. `content_index` is the index of the item's last part
    so far; None: it has none.
    """

    __slots__ = ("announced", "call_id", "closed", "content_index", "head", "kind", "output_index", "parts")

    def __init__(self, parts: Parts, item: Item) -> None:
        self.kind = item.type
        self.announced = self.closed = False
        self.call_id = ""
        self.output_index: int | None = None
        self.content_index: int | None = None
        self.parts = parts
        self.head = Head(item, parts.bounds)

    @property
    @abstractmethod
    def content(self) -> str:
        """The content so far, by which the item is recognised where its name is another."""

    @property
    def seal(self) -> str:
        """The encrypted content of reasoning."""
        return ""

    def open(self) -> list[Event]:
        """Return the events that the item's beginning makes."""
        return []

    def learn(self, item: Item) -> None:
        """Take over everything but the content."""
        self.head.learn(item, self.parts.bounds, closed=self.closed)

    @abstractmethod
    def settle(self, item: Item, tally: Tally) -> list[Event]:
        """Take over the final content, and return events for what was not streamed of it."""
