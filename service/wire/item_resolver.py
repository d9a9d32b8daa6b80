"""Find the output item that an event or an entry of the final output belongs to.

The API names an item twice, by `output_index` and by `item_id`. Servers in use omit or change either:

    llama.cpp     no output_index; ids of items only, or call ids in their place; all `done` at the very end
    Copilot       other ids in every event; only output_index holds
    Kimi, GLM     two parallel calls with one call_id
    xAI           two thoughts with one id
    vLLM          other ids, or an older state of an item, in the final output

So all evidence is weighed, in this order:

- *A delta* belongs to the open item of its kind with its name (id, or call_id); then to the open item at its
  index; then to the newest open item of its kind, if it has no index that says otherwise. Servers without
  indices send one item after the other.
- *An item that ends* is found alike. An open item whose content contradicts the final one is not it, unless
  name or index say so. Without a name and an index, the oldest with the same content ends.
- *An entry of the final output* is matched to at most one item, and each item to at most one entry: by name,
  then by kind and content, then by kind and order.

What was closed is not open: a delta for it is late, an end is a repetition. Where several items share a name,
the index decides, then the content, then the order. All lookups are bounded: `MAX_COMPARED` candidates.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from service.wire.call_items import CallItem
from service.wire.item_evidence import MAX_COMPARED, Name, agrees, is_named, names, same
from service.wire.item_json import Item
from service.wire.item_matching import Matching
from service.wire.output_items import OutputItem


class ItemResolver:
    """The items of one answer, by everything that may identify them."""

    __slots__ = ("_at", "_by_id", "_closed", "_named", "_open", "items")

    def __init__(self) -> None:
        self.items: list[OutputItem] = []
        # By output_index: the item announced there last.
        self._at: dict[int, OutputItem] = {}
        # The open items, in order, by name and by kind.
        self._named: dict[Name, dict[int, OutputItem]] = {}
        self._open: dict[str, dict[int, OutputItem]] = {}
        # By name: the item that was closed last. By id: the last item of any kind that had it.
        self._closed: dict[Name, OutputItem] = {}
        self._by_id: dict[str, OutputItem] = {}

    def add(self, item: OutputItem, output_index: int | None) -> None:
        self.items.append(item)
        item.output_index = output_index
        if output_index is not None:
            self._at[output_index] = item
        self._open.setdefault(item.kind, {})[id(item)] = item
        self._name(item)

    def learn(self, known: OutputItem, item: Item) -> None:
        """Take over what the item says of an open one, its name included."""
        before, call_id = known.head.id, known.call_id
        known.learn(item)
        if known.head.id != before or known.call_id != call_id:
            for name in names(known.kind, before, call_id):
                del self._named[name][id(known)]
            self._name(known)

    def close(self, item: OutputItem) -> None:
        item.closed = True
        del self._open[item.kind][id(item)]
        for name in names(item.kind, item.head.id, item.call_id):
            del self._named[name][id(item)]
            self._closed[name] = item

    def growing(self, kind: str, item_id: str | None, output_index: int | None) -> OutputItem | None:
        """Return the open item that a delta belongs to."""
        at = self._at.get(output_index) if output_index is not None else None
        if at is not None and not at.closed and at.kind == kind and (not item_id or at.head.id == item_id):
            return at  # nearly all: name and index agree
        if item_id and (named := self._pick(self._named.get((kind, item_id)), output_index)):
            return named
        if at is not None and at.kind == kind:
            return None if at.closed else at
        newest = self._newest(kind)
        if at is not None:
            return newest
        if newest is None or output_index is None:
            return newest
        return self._bound(newest, output_index) if newest.output_index is None else None

    def is_late(self, kind: str, item_id: str | None, output_index: int | None) -> bool:
        """Return whether a delta without an open item is for one that was closed."""
        if output_index is not None and (at := self._at.get(output_index)) is not None:
            return at.kind == kind and at.closed
        return output_index is None and (kind, item_id or "") in self._closed

    def mentioned(self, item_id: str | None, output_index: int | None, words: str) -> OutputItem | None:
        """Return the item that an event without a handler tells of; `words` is its type."""
        at = self._at.get(output_index) if output_index is not None else None
        if at is not None or (item_id and (at := self._by_id.get(item_id))):
            return at
        kind = words.removeprefix("response.").partition(".")[0]
        while kind and kind not in self._open:
            kind = kind.rpartition("_")[0]
        return self._newest(kind)

    def announced(self, item: Item, output_index: int | None) -> OutputItem | None:
        """Return the item that is announced again, or that deltas have opened already."""
        for name in names(item.type, item.id, item.call_id):
            opened = self._named.get(name)
            known = self._pick(opened, output_index) if opened else None
            if known is None:
                continue
            again = not known.content if output_index is None else known.output_index == output_index
            if again or not known.announced:
                return known
        at = self._at.get(output_index) if output_index is not None else None
        if at is None and output_index is None:
            newest = self._newest(item.type)
            return newest if newest is not None and not newest.announced else None
        if at is None or at.kind != item.type:
            return None
        if is_named(at, item) or not (at.closed or (at.announced and item.id and at.head.id)):
            return at
        return None

    def ending(self, item: Item, output_index: int | None) -> OutputItem | None:
        """Return the item, open or closed already, that ends with this one."""
        at = self._at.get(output_index) if output_index is not None else None
        if at is not None and not at.closed and item.id and (at.kind, at.head.id) == (item.type, item.id):
            return at  # nearly all: name and index agree
        for name in names(item.type, item.id, item.call_id):
            known = self._pick(self._named.get(name), output_index, item)
            if known is not None:
                return known
        if at is not None and at.kind == item.type:
            if at.closed:
                return at if is_named(at, item) or same(at, item) else None
            if not isinstance(at, CallItem) or is_named(at, item) or agrees(at, item):
                return at
            return None
        unplaced = (
            known
            for known in islice(self._open.get(item.type, {}).values(), MAX_COMPARED)
            if output_index is None or known.output_index is None
        )
        return self._best(list(unplaced), item) or (self._repeated(item) if output_index is None else None)

    def final(self, entries: Sequence[Item]) -> Iterator[tuple[Item, OutputItem | None]]:
        """Match each entry of the final output to an item, or to None: it is new."""
        return zip(entries, Matching(self.items, entries).found, strict=True)

    def _name(self, item: OutputItem) -> None:
        for name in names(item.kind, item.head.id, item.call_id):
            self._named.setdefault(name, {})[id(item)] = item
            self._by_id[name[1]] = item

    def _repeated(self, item: Item) -> OutputItem | None:
        for name in names(item.type, item.id, item.call_id):
            known = self._closed.get(name)
            if known is not None and same(known, item):
                return known
        return None

    def _pick(
        self, named: dict[int, OutputItem] | None, output_index: int | None, item: Item | None = None
    ) -> OutputItem | None:
        """Choose among open items of one name."""
        if not named:
            return None
        # Deltas come for the newest item, ends for the oldest.
        ordered = reversed(named.values()) if item is None else iter(named.values())
        candidates = list(islice(ordered, MAX_COMPARED))
        if output_index is not None:
            for known in candidates:
                if known.output_index == output_index:
                    return known
            unplaced = [known for known in candidates if known.output_index is None]
            if unplaced:
                return self._bound(unplaced[0], output_index)
            # The name says one thing, the index another: two items of one name, unless the content agrees.
            if item is not None:
                agreed = [known for known in candidates if known.content and agrees(known, item)]
                return agreed[0] if agreed else None
            return candidates[0] if len(candidates) == 1 or output_index not in self._at else None
        if item is not None:
            return self._best(candidates, item) or candidates[0]
        return candidates[0]

    def _best(self, candidates: list[OutputItem], item: Item) -> OutputItem | None:
        """Choose the one that ends with the item: with the same content, then with one that agrees."""
        equal = (known for known in candidates if known.content and same(known, item))
        agreed = (known for known in candidates if agrees(known, item))
        return next(equal, None) or next(agreed, None)

    def _newest(self, kind: str) -> OutputItem | None:
        opened = self._open.get(kind)
        return next(reversed(opened.values())) if opened else None

    def _bound(self, item: OutputItem, output_index: int) -> OutputItem:
        item.output_index = output_index
        self._at[output_index] = item
        return item
