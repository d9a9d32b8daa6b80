"""Server events as they stand in a frame, with only what is read of them.

Owns the upstream's field names and how malformed JSON is told. Must never know what an event means for the
turn. The rule that would be broken first: what is not understood is skipped, never a reason to fail.
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
_NOTHING = msgspec.Raw()
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

LARGE_BYTES = 256 * 1024
"""Lists in larger pieces are counted before an object is made for each of their values."""

MAX_VALUES = 200_000
"""Values and names in the output of a response: 4096 items with all their fields have half as many. Each
costs some 0.1 µs and 100 bytes once it is an object, so 16 MiB of `{},` would hold the loop for half a
second. To count them takes 40 ms at most.
"""

REPAIRED_CHARACTERS = 1024 * 1024
"""A longer frame that is no JSON is not looked at again."""

_VALUES = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|,', re.DOTALL)
"""Strings whole, so that the commas inside them are passed over. Possessive: the scan is linear."""

_HALVES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)
"""One half of a character, escaped, without the other half beside it."""

Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A count that every room and every client can hold."""


class IncompleteDetails(msgspec.Struct, gc=False):
    reason: str | None = None


class Response(msgspec.Struct, gc=False):
    """A response, at any point of its life."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    output: msgspec.Raw = _NOTHING
    usage: msgspec.Raw = _NOTHING


class Frame(msgspec.Struct, gc=False):
    """Any server event. One flat shape, because one decoder for all is faster than finding the right one.

    Large and rare things stay raw until somebody asks. Servers write null for what they do not say.
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
    item: msgspec.Raw = _NOTHING


class Content(msgspec.Struct):
    """A part of a message, a paragraph of a summary, or a piece of reasoning."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class Item(msgspec.Struct):
    """An output item of one of the kinds in `ITEM_KINDS`; each uses its own fields."""

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
    """The names of this API, and those of its elder sister, which some servers kept."""

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


_FRAME = msgspec.json.Decoder(Frame)
_TYPED = msgspec.json.Decoder(_Typed)
_ITEM = msgspec.json.Decoder(Item)
_OUTPUT = msgspec.json.Decoder(list[msgspec.Raw] | None)
_USAGE = msgspec.json.Decoder(_Usage | None)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, object])


def read_frame(frame: str | bytes, understood: Container[str]) -> Frame:
    """The event. One that is not understood may have any shape. TurnError PROTOCOL_ERROR: nonsense."""
    if isinstance(frame, bytes):
        raise _nonsense("a frame that is not text")
    try:
        return _FRAME.decode(frame)
    except msgspec.ValidationError as error:
        kind = _read(_TYPED, frame, "a frame").type
        if kind in understood:
            raise _nonsense(f"a malformed {kind}: {error}") from error
        return Frame(type=kind)
    except _UNREADABLE as error:
        if (repaired := _without_nan(frame)) is not None:
            return read_frame(repaired, understood)
        if len(frame) <= REPAIRED_CHARACTERS and _HALVES.search(frame):
            raise _nonsense("a frame with half a character (one escaped UTF-16 surrogate)") from error
        raise _nonsense(f"a frame that is not JSON: {error}") from error


def read_object(frame: str | bytes) -> dict[str, object]:
    """The whole frame: errors come in too many shapes for a struct."""
    return _read(_OBJECT, frame, "a frame")


def read_output(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """The items of a response. TurnError PROTOCOL_ERROR: no list, or too many values in it."""
    _count_values(raw)
    return _read(_OUTPUT, raw or b"null", "an output") or []


def read_item(raw: msgspec.Raw) -> Item | str:
    """The item, or the kind of one that is not understood."""
    _count_values(raw)
    try:
        item = _ITEM.decode(raw or b"{}")
    except msgspec.ValidationError as error:
        kind = _read(_TYPED, raw or b"{}", "an item").type
        if kind in ITEM_KINDS:
            raise _nonsense(f"a {kind} that makes no sense: {error}") from error
        return kind
    except _UNREADABLE as error:
        raise _nonsense(f"an item that makes no sense: {error}") from error
    return item if item.type in ITEM_KINDS else item.type


def read_usage(raw: msgspec.Raw) -> Usage | None:
    """The counts that were reported, without those that are no counts: they must not cost the answer.

    Returns None when there is no object at all.
    """
    try:
        told = _USAGE.decode(raw or b"null")
    except _UNREADABLE:
        told = _lenient(raw, _Usage)
    if told is None:
        return None
    read = told.input_tokens_details or told.prompt_tokens_details or _Details()
    written = told.output_tokens_details or told.completion_tokens_details or _Details()
    input_tokens = told.input_tokens or told.prompt_tokens or 0
    output_tokens = told.output_tokens or told.completion_tokens or 0
    return Usage(
        input_tokens=input_tokens,
        cached_input_tokens=read.cached_tokens or 0,
        cache_write_tokens=read.cache_write_tokens or 0,
        output_tokens=output_tokens,
        reasoning_tokens=written.reasoning_tokens or 0,
        total_tokens=told.total_tokens or input_tokens + output_tokens,
    )


def _lenient(raw: msgspec.Raw, kind: type[_S]) -> _S | None:
    """The struct with those of its fields that can be read."""
    try:
        told = _FIELDS.decode(raw) if len(raw) <= LARGE_BYTES else {}
    except _UNREADABLE:
        return None
    good: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = told.get(field.name, _NOTHING)
        try:
            good[field.name] = msgspec.json.decode(value or b"null", type=field.type)
        except _UNREADABLE:
            good[field.name] = _lenient(value, _Details) if field.name.endswith("_details") else None
    return kind(**good)


def _without_nan(frame: str) -> str | None:
    """The frame with null for NaN and Infinity, which some servers write for a count that they lack.

    Returns None when there are none in it, or it is no JSON for other reasons.
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
        raise _nonsense(f"an output of more than {MAX_VALUES} values")


def _read(decoder: msgspec.json.Decoder[_T], data: str | bytes | msgspec.Raw, what: str) -> _T:
    try:
        return decoder.decode(data)
    except _UNREADABLE as error:
        raise _nonsense(f"{what} that makes no sense: {error}") from error


def _nonsense(what: str) -> TurnError:
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream sent {what}")
