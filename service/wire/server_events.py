"""Decode server events into structs that hold only the fields the service reads.

An event or an item of an unknown type may have any shape and never fails. One of a known type that is
invalid, and a frame that is not JSON, raise TurnError PROTOCOL_ERROR. Two faults of servers are repaired: NaN
and Infinity become null, and invalid token counts become 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container
from itertools import islice
from typing import Annotated, Any, TypeVar

import msgspec

from service.domain.errors import Reason, TurnError
from service.domain.events import Usage

_T = TypeVar("_T")
_S = TypeVar("_S", bound=msgspec.Struct)
_ABSENT = msgspec.Raw()
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

LARGE_BYTES = 256 * 1024
"""In JSON larger than this, values are counted before an object is made of each."""

MAX_VALUES = 200_000
"""Values and names in the output of a response: 4096 items with all their fields have half as many. Decoding
one takes some 0.1 µs and 100 bytes, so 16 MiB of `{},` would block the event loop for half a second. Counting
them takes 40 ms at most.
"""

REPAIRED_CHARACTERS = 1024 * 1024
"""A longer frame that is not JSON is not examined for repairs."""

_VALUES = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|,', re.DOTALL)
"""Strings match as a whole, so that commas inside them do not count. Possessive: the scan is linear."""

_LONE_SURROGATES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)
"""An escaped UTF-16 surrogate without its other half."""

Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A count that every client can represent: JavaScript numbers are exact up to here."""


class IncompleteDetails(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """The `response` object of an event, in any state."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    output: msgspec.Raw = _ABSENT
    usage: msgspec.Raw = _ABSENT


class ServerEvent(msgspec.Struct, gc=False):
    """Any server event. One flat struct for all types is faster than choosing a decoder by type.

    Large and rare fields stay raw until they are needed. Servers write null for missing fields.
    """

    type: str = ""
    delta: str | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    sequence_number: int | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    stream_id: str | None = None
    response_id: str | None = None
    response: Response | None = None
    item: msgspec.Raw = _ABSENT


class Content(msgspec.Struct):
    """A part of a message, a paragraph of a summary, or a piece of reasoning."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class Item(msgspec.Struct):
    """An output item of a kind in `ITEM_KINDS`; each kind uses its own fields."""

    type: str
    id: str | None = None
    status: str | None = None
    phase: str | None = None
    content: list[Content] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    summary: list[Content] | None = None
    encrypted_content: str | None = None


ITEM_KINDS = frozenset({"message", "function_call", "reasoning"})


class _Details(msgspec.Struct):
    cached_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None


class _Usage(msgspec.Struct):
    """Token counts by the names of the Responses API, and by those of Chat Completions."""

    input_tokens: Tokens | None = None
    prompt_tokens: Tokens | None = None
    input_tokens_details: _Details | None = None
    prompt_tokens_details: _Details | None = None
    output_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    output_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    total_tokens: Tokens | None = None


class _Typed(msgspec.Struct):
    type: str = ""


_EVENT = msgspec.json.Decoder(ServerEvent)
_TYPED = msgspec.json.Decoder(_Typed)
_ITEM = msgspec.json.Decoder(Item)
_OUTPUT = msgspec.json.Decoder(list[msgspec.Raw] | None)
_USAGE = msgspec.json.Decoder(_Usage | None)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, object])


def decode(frame: str | bytes, understood: Container[str]) -> ServerEvent:
    """Decode the frame; of a type that is not in `understood` only the type.

    Raises TurnError PROTOCOL_ERROR when it is no JSON object, or invalid for a type in `understood`.
    """
    if isinstance(frame, bytes):
        raise _invalid("a frame that is not text")
    try:
        return _EVENT.decode(frame)
    except msgspec.ValidationError as error:
        kind = _read(_TYPED, frame, "frame").type
        if kind in understood:
            raise _invalid(f"a malformed {kind}: {error}") from error
        return ServerEvent(type=kind)
    except _UNREADABLE as error:
        if (repaired := _without_nan(frame)) is not None:
            return decode(repaired, understood)
        if len(frame) <= REPAIRED_CHARACTERS and _LONE_SURROGATES.search(frame):
            raise _invalid("a frame with half a character (one escaped UTF-16 surrogate)") from error
        raise _invalid(f"a frame that is not JSON: {error}") from error


def read_object(frame: str | bytes) -> dict[str, object]:
    """Decode the whole frame: errors come in too many shapes for a struct."""
    return _read(_OBJECT, frame, "frame")


def read_output(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Split the output of a response into items.

    Raises TurnError PROTOCOL_ERROR when it is no list, or has too many values.
    """
    _count_values(raw)
    return _read(_OUTPUT, raw or b"null", "output") or []


def read_item(raw: msgspec.Raw) -> Item | str:
    """Decode the item; return only the type of one that is not known.

    Raises TurnError PROTOCOL_ERROR when it is invalid for its type.
    """
    _count_values(raw)
    try:
        item = _ITEM.decode(raw or b"{}")
    except msgspec.ValidationError as error:
        kind = _read(_TYPED, raw or b"{}", "item").type
        if kind in ITEM_KINDS:
            raise _invalid(f"an invalid {kind}: {error}") from error
        return kind
    except _UNREADABLE as error:
        raise _invalid(f"an invalid item: {error}") from error
    return item if item.type in ITEM_KINDS else item.type


def read_usage(raw: msgspec.Raw) -> Usage | None:
    """Decode the token counts. Counts that are invalid become 0: they must not fail a complete answer.

    Returns None when there is no usage object.
    """
    try:
        counts = _USAGE.decode(raw or b"null")
    except _UNREADABLE:
        counts = _lenient(raw, _Usage)
    if counts is None:
        return None
    read = counts.input_tokens_details or counts.prompt_tokens_details or _Details()
    written = counts.output_tokens_details or counts.completion_tokens_details or _Details()
    input_tokens = counts.input_tokens or counts.prompt_tokens or 0
    output_tokens = counts.output_tokens or counts.completion_tokens or 0
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=read.cached_tokens or 0,
        cache_write_tokens=read.cache_write_tokens or 0,
        output_tokens=output_tokens,
        reasoning_tokens=written.reasoning_tokens or 0,
        total_tokens=counts.total_tokens or input_tokens + output_tokens,
    )


def _lenient(raw: msgspec.Raw, kind: type[_S]) -> _S | None:
    """Decode the struct field by field, with None for each invalid field."""
    try:
        fields = _FIELDS.decode(raw) if len(raw) <= LARGE_BYTES else {}
    except _UNREADABLE:
        return None
    good: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = fields.get(field.name, _ABSENT)
        try:
            good[field.name] = msgspec.json.decode(value or b"null", type=field.type)
        except _UNREADABLE:
            good[field.name] = _lenient(value, _Details) if field.name.endswith("_details") else None
    return kind(**good)


def _without_nan(frame: str) -> str | None:
    """Replace NaN and Infinity, which some servers write for a missing count, by null.

    Returns None when the frame has neither, or is not JSON for other reasons.
    """
    if len(frame) > REPAIRED_CHARACTERS or not ("NaN" in frame or "Infinity" in frame):
        return None
    found: list[str] = []
    try:
        value = json.loads(frame, parse_constant=found.append)
        return msgspec.json.encode(value).decode() if found else None
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return None


def _count_values(raw: msgspec.Raw) -> None:
    if len(raw) <= LARGE_BYTES:
        return
    if next(islice(_VALUES.finditer(raw), MAX_VALUES, None), None) is not None:
        raise _invalid(f"an output of more than {MAX_VALUES} values")


def _read(decoder: msgspec.json.Decoder[_T], data: str | bytes | msgspec.Raw, what: str) -> _T:
    try:
        return decoder.decode(data)
    except _UNREADABLE as error:
        raise _invalid(f"an invalid {what}: {error}") from error


def _invalid(what: str) -> TurnError:
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream sent {what}")
