"""Read odd JSON field by field: what one field cannot be read as does not cost the others.

The strict decoders of `server_events` are tried first, and nearly always suffice. Here are the oddities that
servers and proxies were seen to send, and what they are read as:

    "sequence_number": "7"         7               "created_at": "1760000000"   1760000000.0
    "arguments": {"a": 1}          '{"a": 1}'      "item_id": 5                 "5"
    "output_tokens": 7.0           7               "refusal": false             nothing: noted
    "output_tokens": -9            nothing: noted  "reasoning_tokens": 1.5      nothing: noted
    NaN, Infinity                  null            half an emoji                U+FFFD, but see `repair`
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, cast

import msgspec

from service.wire.tally import Tally

LARGE_BYTES = 256 * 1024
"""In JSON larger than this, values are counted before an object is made of each."""

MAX_VALUES = 200_000
"""Values and names in the output of a response: 4096 items with all their fields have half as many. Decoding
one takes some 0.1 µs and 100 bytes, so 16 MiB of `{},` would block the event loop for half a second. Counting
them takes 40 ms at most.
"""

REPAIRED_CHARACTERS = 4 * 1024 * 1024
"""A longer frame that is not JSON is not examined for repairs, which take 15 ms per MiB."""

MAX_COUNT = 2**53
"""A count that every client can represent: JavaScript numbers are exact up to here."""

_VALUES = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|,', re.DOTALL)
"""Strings match as a whole, so that commas inside them do not count. Possessive: the scan is linear."""

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

Fields = Mapping[str, msgspec.Raw]
Convert = Callable[[bytes], object]
"""Read one value, or return None when it is not understood."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def fields_of(data: str | bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Split an object into its fields. Raises one of `UNREADABLE` when it is none."""
    return _FIELDS.decode(data)


def read_fields(
    fields: Fields, shape: Mapping[str, Convert], ignored: Tally, path: str = ""
) -> dict[str, Any]:
    """Read each field of the shape; null is nothing. Count in `ignored` each one that is not understood."""
    values: dict[str, Any] = {}
    for name, convert in shape.items():
        raw = bytes(fields.get(name, b""))
        if raw in (b"", b"null"):
            continue
        value = convert(raw)
        if value is None:
            ignored.skip(f"{path}{name}")
        else:
            values[name] = value
    return values


def text(raw: bytes) -> str | None:
    """Read a string, or a number as its digits."""
    if raw[:1] == b'"':
        return _decoded(raw, str)
    return raw.decode() if raw[:1] in b"-0123456789" else None


def text_or_json(raw: bytes) -> str | None:
    """Read a string; an object or a list as its JSON text: some servers send arguments so."""
    return raw.decode() if raw[:1] in (b"{", b"[") else text(raw)


def whole(raw: bytes) -> int | None:
    """Read an integer, also one that is written as a string or with a fraction of zero."""
    value = number(raw)
    return int(value) if value is not None and value.is_integer() and abs(value) <= MAX_COUNT else None


def count(raw: bytes) -> int | None:
    value = whole(raw)
    return value if value is not None and value >= 0 else None


def number(raw: bytes) -> float | None:
    """Read a finite number, also one that is written as a string."""
    digits = text(raw)
    try:
        value = float(digits) if digits is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def untouched(raw: bytes) -> msgspec.Raw:
    return msgspec.Raw(raw)


def repair(frame: str) -> tuple[str, str | None] | None:
    """Repair a frame that is JSON but for NaN, Infinity or lone UTF-16 surrogates.

    Some servers write NaN for a missing count, and cut emojis into halves, one at the end of a delta and one
    at the beginning of the next. Return the frame with null and U+FFFD in their place; and the delta with its
    halves, which `Stream` joins. Returns None when the frame is long, or not JSON for other reasons.
    """
    if len(frame) > REPAIRED_CHARACTERS:
        return None
    try:
        if has_too_many_values(frame.encode()):
            return None
        value = json.loads(frame, parse_constant=lambda _: None, parse_float=_finite)
        repaired = without_halves(json.dumps(value, ensure_ascii=False))
    except (ValueError, RecursionError):
        return None
    delta = cast("dict[str, object]", value).get("delta") if isinstance(value, dict) else None
    return repaired, delta if isinstance(delta, str) else None


def is_nothing(raw: msgspec.Raw) -> bool:
    """Return whether the field is missing or null."""
    return len(raw) <= len(b"null") and bytes(raw) in (b"", b"null")


def has_too_many_values(raw: bytes | msgspec.Raw) -> bool:
    if len(raw) <= LARGE_BYTES:
        return False
    return next(islice(_VALUES.finditer(raw), MAX_VALUES, None), None) is not None


def without_halves(text: str) -> str:
    """Join the surrogates that form a character, and replace the others by U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _decoded(raw: bytes, kind: type[str]) -> str | None:
    try:
        return msgspec.json.decode(raw, type=kind)
    except UNREADABLE:
        return None
