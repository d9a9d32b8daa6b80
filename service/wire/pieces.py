"""Encode large JSON piece by piece.

One call of the encoder holds the GIL until it is done: 0.3 s for 32 MiB of control characters, which become
192 MiB. So long strings are encoded in slices, and the lists and objects that hold them entry by entry. A
piece is made of little more than `PIECE` characters, which takes 3 ms at worst, and the caller may stop after
any of them. The joined pieces are what the encoder would have written:

    pieces({"a": "x" * 600_000})  ->  '{"a":', '"', 'xxx…', 'xxx…', 'xxx…', '"', '}'

Small values should be encoded as a whole: this is slower where there are many of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import msgspec

PIECE = 256 * 1024
"""Characters."""

_ENCODER = msgspec.json.Encoder()
_ORDERED = msgspec.json.Encoder(order="deterministic")


def pieces(value: object, *, ordered: bool = False) -> Iterator[bytes]:
    """Encode the value. `ordered`: sort the keys of each object."""
    encoder = _ORDERED if ordered else _ENCODER
    match value:
        case str() if len(value) > PIECE:
            yield b'"'
            for start in range(0, len(value), PIECE):
                yield encoder.encode(value[start : start + PIECE])[1:-1]
            yield b'"'
        case list() if value:
            separator = b"["
            for entry in value:
                yield separator
                yield from pieces(entry, ordered=ordered)
                separator = b","
            yield b"]"
        case dict() if not _flat(fields := cast("dict[str, object]", value)):
            separator = b"{"
            for key in sorted(fields) if ordered else fields:
                yield separator + encoder.encode(key) + b":"
                yield from pieces(fields[key], ordered=ordered)
                separator = b","
            yield b"}"
        case _:
            yield encoder.encode(value)


def _flat(fields: dict[str, object]) -> bool:
    """Return whether the object can be encoded in one call: most can, and the encoder is faster."""
    characters = 0
    for value in fields.values():
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list | dict) and value:
            return False
    return characters <= PIECE
