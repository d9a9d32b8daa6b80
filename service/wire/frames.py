"""Server events as they stand in a frame, with only what is read of them.

Owns the upstream's field names and how malformed JSON is told. Must never know what an event means for the
turn. The rule that would be broken first: what is not understood is skipped, never a reason to fail.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, TypeVar

import msgspec

from service.domain.errors import Reason, TurnError
from service.domain.events import Usage

_T = TypeVar("_T")
_NOTHING = msgspec.Raw()
_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A count that every room and every client can hold."""


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
    response: msgspec.Raw = _NOTHING
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


class IncompleteDetails(msgspec.Struct):
    reason: str | None = None


class Response(msgspec.Struct):
    """A response, at any point of its life."""

    id: str | None = None
    model: str | None = None
    created_at: float | None = None
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = _NOTHING


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
_RESPONSE = msgspec.json.Decoder(Response | None)
_USAGE = msgspec.json.Decoder(_Usage | None)
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
        raise _nonsense(f"a frame that is not JSON: {error}") from error


def read_object(frame: str | bytes) -> dict[str, object]:
    """The whole frame: errors come in too many shapes for a struct."""
    return _read(_OBJECT, frame, "a frame")


def read_response(raw: msgspec.Raw) -> Response:
    return _read(_RESPONSE, raw or b"null", "a response") or Response()


def read_item(raw: msgspec.Raw) -> Item | str:
    """The item, or the kind of one that is not understood."""
    kind = _read(_TYPED, raw or b"{}", "an item").type
    return _read(_ITEM, raw, f"a {kind}") if kind in ITEM_KINDS else kind


def read_usage(raw: msgspec.Raw) -> Usage | None:
    """The count, as far as it was told. None: it was not, or is nonsense, which must not cost the answer."""
    try:
        told = _USAGE.decode(raw or b"null")
    except _UNREADABLE:
        return None
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


def _read(decoder: msgspec.json.Decoder[_T], data: str | bytes | msgspec.Raw, what: str) -> _T:
    try:
        return decoder.decode(data)
    except _UNREADABLE as error:
        raise _nonsense(f"{what} that makes no sense: {error}") from error


def _nonsense(what: str) -> TurnError:
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream sent {what}")
