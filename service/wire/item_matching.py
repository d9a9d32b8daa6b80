"""Match the entries of the final output, which repeats the whole answer, to the items that were streamed."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from itertools import islice

from service.wire.call_items import CALL_KINDS
from service.wire.item_evidence import MAX_COMPARED, Name, agrees, called, content_of, names, same, tool_of
from service.wire.item_json import Item
from service.wire.output_items import OutputItem


class Matching:
    """The entries of the final output and the items they match, each at most once."""

    __slots__ = ("_entries", "_free", "found")

    def __init__(self, items: Sequence[OutputItem], entries: Sequence[Item]) -> None:
        self._entries = entries
        self._free = dict.fromkeys(map(id, items))
        self.found: list[OutputItem | None] = [None] * len(entries)
        named: defaultdict[Name, deque[OutputItem]] = defaultdict(deque)
        for item in items:
            for name in names(item.kind, item.head.id, item.call_id):
                named[name].append(item)
        for number, entry in enumerate(entries):
            for name in names(entry.type, entry.id, entry.call_id):
                if self.found[number] is None and (known := self._first(named[name], entry)):
                    self._match(number, known)
        if len(self._free) and None in self.found:
            self._by_content(items)
            self._by_order(items)

    def _match(self, number: int, known: OutputItem) -> None:
        self.found[number] = known
        del self._free[id(known)]

    def _first(self, named: deque[OutputItem], entry: Item) -> OutputItem | None:
        """Return the first free item of a name; where more have it, rather one with the same content."""
        while named and id(named[0]) not in self._free:
            named.popleft()
        if len(named) <= 1:
            return named[0] if named else None
        free = [known for known in islice(named, MAX_COMPARED) if id(known) in self._free]
        return next((known for known in free if same(known, entry)), free[0])

    def _by_content(self, items: Sequence[OutputItem]) -> None:
        equal: defaultdict[tuple[str, str, str], deque[OutputItem]] = defaultdict(deque)
        for item in items:
            if id(item) in self._free and item.content:
                equal[item.kind, called(item), item.content].append(item)
        for number, entry in enumerate(self._entries):
            if self.found[number] is None:
                left = equal.get((entry.type, tool_of(entry), content_of(entry)))
                if left:
                    self._match(number, left.popleft())

    def _by_order(self, items: Sequence[OutputItem]) -> None:
        rest: defaultdict[tuple[str, str], deque[OutputItem]] = defaultdict(deque)
        for item in items:
            if id(item) in self._free:
                rest[item.kind, called(item)].append(item)
        for number, entry in enumerate(self._entries):
            left = rest.get((entry.type, tool_of(entry)))
            if self.found[number] is not None or not left:
                continue
            # A call of other arguments is another call.
            if entry.type not in CALL_KINDS or agrees(left[0], entry):
                self._match(number, left.popleft())
