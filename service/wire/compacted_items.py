"""Read the items of a compacted conversation as messages that go back as these items, unchanged.

The upstream wants its answer back as it was. So an item becomes parts where writing these gives the item
again, without loss, and is kept verbatim where it does not:

    {"role":"user","content":[{"type":"input_text","text":"Hi."}],…}  ->  USER: text "Hi."
    {"role":"user","content":[{"type":"input_hologram"}],…}           ->  USER: upstream_item
    {"type":"compaction","encrypted_content":"…"}                     ->  USER: upstream_item
    {"type":"web_search_call",…}                                      ->  ASSISTANT: upstream_item

In this comparison nulls and empty values are nothing, and so is a status, which goes back with what a caller
said only.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping
from typing import Literal, cast

import msgspec

from service.domain.item_types import CALLER_ONLY, COMPACTIONS
from service.domain.limits import MAX_ID, MAX_JSON_NODES, MAX_NAME, MAX_URL
from service.domain.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    Role,
    TextPart,
    UpstreamItemPart,
    items_of,
)
from service.wire import lenient
from service.wire.bounds import Bounds
from service.wire.input_items import item_jsons
from service.wire.item_json import KNOWN_KINDS
from service.wire.output_assembler import Answer
from service.wire.tally import Tally

Json = dict[str, object]

ANSWERS = ("_output", "_response")
"""How the types end of items with which a caller answers a call."""

_DATA_URL = re.compile(r"data:([^;,]{1,256});base64,", re.ASCII)
_NAMED = frozenset({"type", "id", "role", "content"})


class _Content(msgspec.Struct):
    """A content of what a caller said."""

    type: Literal["input_text", "input_image", "input_file"]
    text: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None
    filename: str | None = None


class _Input(msgspec.Struct):
    """What a caller said."""

    role: Literal["user", "system", "developer"]
    content: str | list[_Content]
    type: Literal["message"] = "message"
    id: str | None = None
    phase: None = None


class _Kind(msgspec.Struct):
    type: str = ""
    role: str = ""
    id: str | None = None


_INPUT = msgspec.json.Decoder(_Input)
_KIND = msgspec.json.Decoder(_Kind)
_OBJECT = msgspec.json.Decoder(dict[str, object])


def message_of(raw: msgspec.Raw, bounds: Bounds, ignored: Tally) -> Message | None:
    """Return the item as a message. Returns None, and counts it, when it is no object with a type or a role.

    Raises TurnError PROTOCOL_ERROR when an id, or the number of parts, is over its bound.
    """
    try:
        kind = _KIND.decode(raw)
    except lenient.UNREADABLE:
        ignored.skip("item")
        return None
    name = kind.type or (kind.role and "message")
    if not 0 < len(name) <= MAX_NAME:
        ignored.note(f"item:{kind.type}")
        return None
    bounds.names(kind.id)
    role = _role_of(kind, name)
    if name in KNOWN_KINDS:
        message = _answered(raw) if role is Role.ASSISTANT else _said(raw)
        if message is not None and _goes_back(message, raw):
            for _ in message.parts:
                bounds.part()
            return message
    bounds.part()
    json = bytes(raw).decode() if kind.type else '{"type":"message",' + bytes(raw).decode()[1:]
    return Message(role, (UpstreamItemPart(name, json, kind.id or ""),))


def _role_of(kind: _Kind, name: str) -> Role:
    if name == "message":
        by_the_caller = kind.role != Role.ASSISTANT.value
    else:
        by_the_caller = name in COMPACTIONS | CALLER_ONLY or name.endswith(ANSWERS)
    return Role.USER if by_the_caller else Role.ASSISTANT


def _said(raw: msgspec.Raw) -> Message | None:
    """Read what a caller said. Returns None where it is none, or no parts can hold it."""
    try:
        said, fields = _INPUT.decode(raw), lenient.fields_of(raw)
    except lenient.UNREADABLE:
        return None
    contents = [_Content("input_text", said.content)] if isinstance(said.content, str) else said.content
    more = {
        key: value for key, value in fields.items() if key not in _NAMED and not lenient.is_nothing(value)
    }
    extra = msgspec.json.encode(more).decode() if more else ""
    if extra.count(":") > MAX_JSON_NODES:
        return None
    parts: list[Part] = []
    for content in contents:
        part = _part(content, said.id or "", "" if parts else extra)
        if part is None or (said.role != Role.USER.value and not isinstance(part, TextPart)):
            return None
        parts.append(part)
    return Message(Role(said.role), tuple(parts)) if parts else None


def _part(content: _Content, item_id: str, extra: str) -> Part | None:
    """Return the part that holds the content. Returns None where none can."""
    file_id, filename = content.file_id or "", content.filename or ""
    if len(file_id) > MAX_ID or len(filename) > MAX_NAME:
        return None
    match content:
        case _Content("input_text", str(text)) if text:
            return TextPart(text, item_id=item_id, extra_json=extra)
        case _Content("input_image", detail=str(detail)) if len(detail) <= MAX_NAME:
            url = content.image_url or ""
            if bool(url) is bool(file_id) or (len(url) > MAX_URL and not url.startswith("data:")):
                return None
            return ImagePart(url, file_id=file_id, detail=detail, item_id=item_id, extra_json=extra)
        case _Content("input_file", file_data=str(encoded)) if filename:
            found = _decoded(encoded)
            if found is None:
                return None
            mime_type, data = found
            return FilePart(
                data=data, filename=filename, mime_type=mime_type, item_id=item_id, extra_json=extra
            )
        case _Content("input_file", file_data=None):
            url = content.file_url or ""
            if bool(url) is bool(file_id) or len(url) > MAX_URL:
                return None
            return FilePart(url, file_id=file_id, filename=filename, item_id=item_id, extra_json=extra)
    return None


def _decoded(data_url: str) -> tuple[str, bytes] | None:
    """Return the media type and the bytes of a data URL. Returns None where there are none."""
    found = _DATA_URL.match(data_url)
    if found is None:
        return None
    try:
        data = b64decode(data_url[found.end() :], validate=True)
    except (Error, ValueError):
        return None
    return (found[1], data) if data else None


def _answered(raw: msgspec.Raw) -> Message | None:
    """Read what the model said, as an answer is read. Returns None where it has no parts."""
    answer = Answer(Tally())
    answer.output(msgspec.Raw(b"[" + bytes(raw) + b"]"))
    message = answer.message(ended=True)
    return message if message.parts else None


def _goes_back(message: Message, raw: msgspec.Raw) -> bool:
    """Return whether the message is sent as this item."""
    written = [json for item in items_of((message,)) for json in item_jsons(item, store=True)]
    if len(written) != 1:
        return False
    try:
        back, item = _OBJECT.decode(msgspec.json.encode(written[0])), _OBJECT.decode(raw)
        return _canonical(back) == _canonical(item)
    except RecursionError:
        return False  # what is nested so deep is not compared


def _canonical(item: Json) -> Json:
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "input_text", "text": content}]
    given = {key: value for key, value in item.items() if key != "status"}
    return cast("Json", _given({"type": "message", **given, "content": content}))


def _given(value: object) -> object:
    """Return the value without what is null or empty in its objects."""
    match value:
        case Mapping():
            fields = {key: _given(inner) for key, inner in value.items()}
            return {key: inner for key, inner in fields.items() if inner not in (None, "", [], {})}
        case list():
            return [_given(inner) for inner in value]
        case _:
            return value
