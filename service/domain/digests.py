"""Digest the items of a conversation, so that a history can be compared without keeping its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

import msgspec

from service.domain.limits import MAX_JSON_BYTES, MAX_JSON_NODES, json_nodes
from service.domain.messages import (
    Item,
    Part,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    UpstreamItemPart,
)

DIGEST_BYTES = 16

LONG = 256 * 1024
"""A longer string is digested in slices of this many characters or bytes."""

IGNORED = frozenset({"item_id", "extra_json", "annotations_json", "logprobs_json"})
"""Fields of parts that are no content: a caller may leave them out. `extras_of` digests the second."""

_encode = msgspec.json.Encoder().encode


def digest_of(item: Item) -> bytes:
    """Digest the item's content in 16 bytes, without what a caller may leave out of an answer.

    Tool arguments are compared as JSON, because clients parse and encode them again: the order of keys does
    not matter. Arguments that are not JSON, or too large to parse, are compared as text. So are upstream
    items and `extra_json`.
    """
    digest = blake2b(item.role.value.encode(), digest_size=DIGEST_BYTES)
    for part in item.parts:
        _update(digest, part)
        if part.extra_json and item.role is not Role.ASSISTANT:
            digest.update(_encode(("extra", _short(_canonical_json(part.extra_json)))))
    return digest.digest()


def extras_of(item: Item) -> bytes:
    """Digest the `extra_json` of the model's item. Empty: it has none."""
    for part in item.parts:
        if part.extra_json and item.role is Role.ASSISTANT:
            break
    else:
        return b""
    return _digest_of_long([_canonical_json(part.extra_json) for part in item.parts])


def _update(digest: blake2b, part: Part) -> None:
    """Add a part to the digest as one JSON array. JSON is self-delimiting, so no two contents collide.

    The array begins with the part's type: a text and a refusal of the same words differ. Long strings are
    digested separately, in slices: the encoder would hold the GIL and allocate up to six times their size.
    """
    match part:
        case TextPart() if len(part.text) <= LONG:
            digest.update(_encode(("TextPart", part.text, part.phase)))
            return
        case ToolResultPart():
            digest.update(_encode(("ToolResultPart", part.call_id, part.is_error, len(part.parts))))
            for inner in part.parts:
                _update(digest, inner)
            return
        case ToolCallPart():
            part = replace(part, arguments=_canonical_json(part.arguments))
        case UpstreamItemPart():
            part = replace(part, json=_canonical_json(part.json))
    values = [_short(getattr(part, name)) for name in type(part).__slots__ if name not in IGNORED]
    digest.update(_encode((type(part).__name__, *values)))


def _short(value: object) -> object:
    if isinstance(value, str | bytes) and len(value) > LONG:
        return [_digest_of_long([value])]
    if isinstance(value, tuple) and sum(map(len, value)) > LONG:
        return [_digest_of_long(value)]
    return value


def _digest_of_long(values: Sequence[str | bytes]) -> bytes:
    digest = blake2b(digest_size=DIGEST_BYTES)
    for value in values:
        digest.update(f"{len(value)}:".encode())
        for start in range(0, len(value), LONG):
            piece = value[start : start + LONG]
            digest.update(piece if isinstance(piece, bytes) else piece.encode(errors="surrogatepass"))
    return digest.digest()


def _canonical_json(text: str) -> str:
    if len(text) > MAX_JSON_NODES and (len(text) > MAX_JSON_BYTES or json_nodes(text) > MAX_JSON_NODES):
        return text
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    except (msgspec.DecodeError, RecursionError):
        return text
