"""Check the shape of a large request on the wire before protobuf parses it.

Theory. protobuf turns the 4 bytes of an empty submessage into about 100, for as many as there are, and
holds the GIL meanwhile; a check of its result comes too late. This walk reads tags and lengths only,
follows those submessages that hold something that has a bound, and stops at the first bound that is
exceeded. What is not well-formed is left to protobuf to refuse.

Example: in `22 04 12 02 0A 00` (messages, 4 bytes: parts, 2 bytes: text, empty) it counts one message, one
part and three fields.

Measurement: a field costs about 0.3 µs, and at most `MAX_FIELDS` are read, so 32 MiB of anything cost 0.1 s
of a thread and no memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from google.protobuf.descriptor import Descriptor

from service.domain.errors import Reason, TurnError, Violation
from service.domain.limits import (
    MAX_FIELDS,
    MAX_INCLUDE,
    MAX_METADATA_PAIRS,
    MAX_PARAGRAPHS_IN_ALL,
    MAX_PARTS,
    MAX_TOOLS,
)
from service.gen.trunkline.v1 import completion_pb2, message_pb2, session_pb2

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
MAX_DEPTH = 100
"""The depth at which protobuf stops."""

_COUNTED: dict[tuple[str, str], tuple[str, int]] = {
    ("Message", "parts"): ("messages[].parts", MAX_PARTS),
    ("ToolResultPart", "parts"): ("messages[].parts", MAX_PARTS),
    ("ReasoningPart", "summary"): ("messages[].parts[].reasoning.summary", MAX_PARAGRAPHS_IN_ALL),
    ("ReasoningPart", "content"): ("messages[].parts[].reasoning.content", MAX_PARAGRAPHS_IN_ALL),
    ("StreamCompletionRequest", "tools"): ("tools", MAX_TOOLS),
    ("CompleteRequest", "tools"): ("tools", MAX_TOOLS),
    ("WarmSessionRequest", "tools"): ("tools", MAX_TOOLS),
    ("AllowedTools", "functions"): ("options.tool_choice.allowed.functions", MAX_TOOLS),
    ("CompletionOptions", "metadata"): ("options.metadata", MAX_METADATA_PAIRS),
    ("CompletionOptions", "include"): ("options.include", MAX_INCLUDE),
    ("StreamCompletionRequest", "messages"): ("messages", 0),
    ("CompleteRequest", "messages"): ("messages", 0),
    ("CompactRequest", "messages"): ("messages", 0),
}
"""Bounded repeated fields (message, field): the name in errors, and the bound; 0: from a setting."""

_Fields = dict[int, tuple[str, int, Any]]
"""By field number: the name in `_COUNTED` or "", the bound, and the submessage's fields or None."""


def _fields(kind: Descriptor, known: dict[str, _Fields]) -> _Fields:
    """Return the table of a message type. Types may be recursive, so each table is built once."""
    if kind.full_name in known:
        return known[kind.full_name]
    fields = known[kind.full_name] = {}
    for field in kind.fields:
        inner = None if field.message_type is None else _fields(field.message_type, known)
        name, most = _COUNTED.get((kind.name, field.name), ("", 0))
        fields[field.number] = (name, most, inner)
    return fields


_KNOWN: dict[str, _Fields] = {}
for _module in (completion_pb2, message_pb2, session_pb2):
    for _kind in _module.DESCRIPTOR.message_types_by_name.values():
        _fields(_kind, _KNOWN)


def check_shape(raw: bytes, kind: str, max_messages: int) -> None:
    """Check the bounds of a serialised message; `kind` is its full name.

    Raises INVALID_REQUEST that names the field with too many entries.
    """
    with suppress(IndexError):  # It ends within a field: protobuf reports that better.
        _walk(raw, _KNOWN[kind], {"messages": max_messages})


def _walk(raw: bytes, fields: _Fields, settings: Mapping[str, int]) -> None:  # noqa: C901, PLR0912  one loop, for speed
    counts: dict[str, int] = {}
    position, end, seen = 0, len(raw), 0
    outer: list[tuple[int, _Fields]] = []
    while True:
        if position >= end:
            if not outer:
                return
            end, fields = outer.pop()
            continue
        seen += 1
        if seen > MAX_FIELDS:
            raise _too_many("request", MAX_FIELDS, "fields")
        key = raw[position]
        position += 1
        if key > 127:
            key, position = _varint(raw, position - 1)
        wire = key & 7
        if wire == LENGTH:
            length = raw[position]
            position += 1
            if length > 127:
                length, position = _varint(raw, position - 1)
            name, most, inner = fields.get(key >> 3, _UNKNOWN)
            if name:
                count = counts[name] = counts.get(name, 0) + 1
                if count > (most or settings[name]):
                    raise _too_many(name, most or settings[name], "entries")
            if inner is None or not length:
                position += length
            elif position + length > end or len(outer) >= MAX_DEPTH:
                return  # not well-formed
            else:
                outer.append((end, fields))
                fields, end = inner, position + length
        elif wire == VARINT:
            _, position = _varint(raw, position)
        elif wire in _WIDTHS:
            position += _WIDTHS[wire]
        else:
            return  # not well-formed


_UNKNOWN: tuple[str, int, Any] = ("", 0, None)
_WIDTHS = {FIXED64: 8, FIXED32: 4, START_GROUP: 0, END_GROUP: 0}


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = raw[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    return value, position


def _too_many(field: str, most: int, what: str) -> TurnError:
    description = f"has more than {most} {what}; at most {most} are allowed"
    return TurnError(
        Reason.INVALID_REQUEST, f"{field}: {description}", violations=(Violation(field, description),)
    )
