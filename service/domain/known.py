"""Hold what the upstream has of a conversation as digests, and compare a caller's items with it: `Known`."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate

import msgspec

from service.domain.compaction import is_compaction
from service.domain.digests import DIGEST_BYTES, digest_of, extras_of
from service.domain.messages import Item, Role

COMPACTION = 2

_SIZE = "I"
_NO_SIZES = array(_SIZE)
_NO_EXTRAS: Mapping[int, bytes] = {}


class Prefix(msgspec.Struct, frozen=True, array_like=True):
    """The beginning of a history: how many units it has, and one digest over all of theirs."""

    count: int
    digest: bytes


class Known:
    """The items that the upstream has, in order, packed into 21 bytes an item: digest, size, kind.

    Texts of the model that form one item are compared one by one: where the caller leaves out what stood
    between two items, they become one. Such an item is as many entries, and the first has its size.

    As objects they took 150 bytes, and a session is kept for minutes. `sizes` are the bytes of each item in a
    request, separator included; `optional` is a byte each, not 0 if the caller may leave it out, and
    `COMPACTION` if it is one.
    `extras` are the digests of the few items that have an `extra_json`, by index.
    """

    __slots__ = ("_digests", "_extras", "_optional", "_sizes")

    def __init__(
        self,
        digests: bytes = b"",
        sizes: array[int] = _NO_SIZES,
        optional: bytes = b"",
        extras: Mapping[int, bytes] = _NO_EXTRAS,
    ) -> None:
        self._digests = digests
        self._sizes = sizes
        self._optional = optional
        self._extras = extras

    def __len__(self) -> int:
        return len(self._optional)

    def followed_by(self, items: Sequence[Item], sizes: Sequence[int]) -> Known:
        """Return these items followed by `items`."""
        if len(items) != len(sizes):
            raise ValueError("each item has one size")
        units = _units(items)
        if len(units) > len(items):
            sizes = [
                size for item, all_of in zip(items, sizes, strict=True) for size in _shared(item, all_of)
            ]
        extras = {index: extra for index, unit in enumerate(units, len(self)) if (extra := extras_of(unit))}
        return Known(
            self._digests + b"".join(map(digest_of, units)),
            self._sizes + array(_SIZE, sizes),
            self._optional + bytes(map(_how_optional, units)),
            {**self._extras, **extras} if extras else self._extras,
        )

    def match(self, items: Sequence[Item]) -> tuple[int, int] | None:
        """Count the leading items that the upstream has, and the bytes they would take in a request.

        Returns None when the history was edited. Reasoning, upstream items and the `extra_json` of an answer
        that the caller left out are no edit: the upstream still has them. Changed ones are. Nor is it one to
        begin with a compaction of an answer, and leave out all that it stands for.
        """
        units = _units(items)
        found = self._match(units, 0)
        if found is None and (start := self._compaction(units)):
            found = self._match(units, start)
        if found is None:
            return None
        count, size = found
        whole = _items_in(items, count) if len(units) > len(items) else count
        return None if whole is None else (whole, size)

    def _match(self, units: Sequence[Item], start: int) -> tuple[int, int] | None:
        """Match units with those from the index `start` on."""
        count = size = 0
        compared = -1  # the item that `digest` and `extra` are of
        digest = extra = b""
        changed = False  # an optional item of the caller is none of those that were passed over
        for index in range(start, len(self)):
            if count < len(units) and compared != count:
                compared, digest, extra = count, digest_of(units[count]), extras_of(units[count])
            if count < len(units) and self._is(index, digest, extra):
                count += 1
                size += self._sizes[index]
                changed = False
            elif not self._optional[index]:
                return None
            elif count < len(units) and units[count].is_optional:
                changed = True
        return None if changed else (count, size)

    def _compaction(self, units: Sequence[Item]) -> int:
        """Return the index of the compaction that the caller's items begin with. 0: they begin with none that
        an answer held after anything else.
        """
        if not units or _how_optional(units[0]) != COMPACTION:
            return 0
        digest = digest_of(units[0])
        return next((index for index in range(len(self) - 1, 0, -1) if self._is(index, digest, b"")), 0)

    def since_compaction(self) -> Known | None:
        """Return the items from the last compaction of an answer on, which is not to be left out of them.

        Returns None when there is none.
        """
        start = self._optional.rfind(COMPACTION)
        if start < 0:
            return None
        return Known(
            self._digests[start * DIGEST_BYTES :],
            self._sizes[start:],
            b"\0" + self._optional[start + 1 :],
            {index - start: extra for index, extra in self._extras.items() if index >= start},
        )

    def whole(self) -> Prefix:
        """Return the digest of all units, with the `extra_json` of those that have one."""
        digest = blake2b(self._digests, digest_size=DIGEST_BYTES)
        for index, extra in self._extras.items():
            digest.update(index.to_bytes(4) + extra)
        return Prefix(len(self), digest.digest())

    def required(self) -> Prefix:
        """Return the digest of the units that a caller may not leave out, without what it may leave out of
        them: equal to the `whole` of these units alone.
        """
        if not any(self._optional):
            digests = self._digests  # the usual case
        else:
            digests = b"".join(
                self._digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]
                for index, is_optional in enumerate(self._optional)
                if not is_optional
            )
        return Prefix(len(digests) // DIGEST_BYTES, blake2b(digests, digest_size=DIGEST_BYTES).digest())

    def _is(self, index: int, digest: bytes, extra: bytes) -> bool:
        known = self._digests.startswith(digest, index * DIGEST_BYTES)
        return known and (not extra or extra == self._extras.get(index))


def leading(items: Sequence[Item], prefix: Prefix) -> int | None:
    """Count the leading items that are the prefix. Returns None when they are not."""
    count = _items_in(items, prefix.count)
    if count is None:
        return None
    known = Known().followed_by(items[:count], [0] * count)
    return count if known.whole() == prefix else None


def _how_optional(unit: Item) -> int:
    compacts = unit.role is Role.ASSISTANT and is_compaction(unit.parts[0])
    return COMPACTION if compacts else int(unit.is_optional)


def _units(items: Sequence[Item]) -> Sequence[Item]:
    """Split texts of the model that form one item."""
    for item in items:
        if len(item.parts) > 1 and item.role is Role.ASSISTANT:
            break
    else:
        return items  # the usual case
    units: list[Item] = []
    for item in items:
        if item.role is Role.ASSISTANT:
            units += (Item(item.role, (part,)) for part in item.parts)
        else:
            units.append(item)
    return units


def _shared(item: Item, size: int) -> list[int]:
    """Return the sizes of the units of an item."""
    return [size, *[0] * (len(_units([item])) - 1)]


def _items_in(items: Sequence[Item], units: int) -> int | None:
    """Count the items that so many units make. Returns None when they end within an item."""
    ends = accumulate((len(_units([item])) for item in items), initial=0)
    return next((index for index, end in enumerate(ends) if end == units), None)
