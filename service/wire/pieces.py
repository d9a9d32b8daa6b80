"""JSON of any size, written piece by piece.

One call of the encoder holds the GIL until it is done: 0.3 s for 32 MiB of control characters, which become
192 MiB. So what is large is taken apart here: long strings into slices, and what holds them into its
entries. A piece comes from little more than `PIECE` characters, which takes 3 ms at worst, and whoever joins
the pieces may stop at any of them. All of them joined are what the encoder would have written.

What is small should go to the encoder as a whole: this is slower where there are many small values.
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
    """The JSON of the value. `ordered`: with the keys of each object in order."""
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
    """Nothing within it needs to be taken apart: as in most objects, which the encoder writes faster."""
    characters = 0
    for value in fields.values():
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list | dict) and value:
            return False
    return characters <= PIECE
