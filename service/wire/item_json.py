"""Decode the output items of a response, each in two steps: strictly, then field by field (`lenient`).

An item of a kind in `KNOWN_KINDS` becomes an `Item` with the fields that have a place in a part, and the keys
that have none as JSON. Any other is kept verbatim, whatever its shape. What is no object with a type is
skipped and counted.
"""

from __future__ import annotations

import msgspec

from service.domain.errors import Reason, TurnError
from service.domain.item_keys import NAMED_KEYS
from service.domain.limits import MAX_NAME
from service.wire import lenient
from service.wire.tally import Tally

_ABSENT = msgspec.Raw()


class Content(msgspec.Struct):
    """A part of a message, a paragraph of a summary, or a piece of reasoning."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: msgspec.Raw = _ABSENT
    logprobs: msgspec.Raw = _ABSENT


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """An output item; each kind in `NAMED_KEYS` uses its own fields."""

    type: str
    id: str | None = None
    status: str | None = None
    role: str | None = None
    phase: str | None = None
    content: list[Content] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    summary: list[Content] | None = None
    encrypted_content: str | None = None

    @property
    def unnamed(self) -> str:
        """Return the keys that `NAMED_KEYS` lacks, as a JSON object. Empty: there are none."""
        return ""

    @property
    def verbatim(self) -> str:
        """Return the whole item, as JSON, if it has no part of its own. Empty: it has one."""
        return ""


class OddItem(Item):
    """An item with more than its kind's own fields, or of a kind that has no part of its own."""

    more: str = ""
    json: str = ""

    @property
    def unnamed(self) -> str:
        return self.more

    @property
    def verbatim(self) -> str:
        return self.json


KNOWN_KINDS = frozenset({"message", "function_call", "custom_tool_call", "reasoning"})
"""The kinds of items that have a part of their own."""

TEXTS = frozenset({"output_text", "text", "input_text", ""})
"""The types of a message's contents that are its text."""

_UNNAMED = frozenset({"type", "id", "status", "call_id"})
"""What is read of an item of any other kind."""

_ITEM = msgspec.json.Decoder(Item)
_CONTENT = msgspec.json.Decoder(Content)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def read_output(raw: msgspec.Raw, ignored: Tally) -> list[msgspec.Raw]:
    """Split the output of a response into items.

    Raises TurnError PROTOCOL_ERROR when it is over all bounds.
    """
    _check_values(raw)
    return _entries(bytes(raw), "output", ignored) or []


def read_item(raw: msgspec.Raw, ignored: Tally) -> Item | None:
    """Decode the item. Returns None, and counts it, when it is no object with a type.

    Raises TurnError PROTOCOL_ERROR when it is over all bounds.
    """
    _check_values(raw)
    try:
        item = _ITEM.decode(raw)
    except lenient.UNREADABLE:
        try:
            fields = lenient.fields_of(raw)
        except lenient.UNREADABLE:
            ignored.skip("item")
            return None
        item = _odd_item(fields, ignored)
    if item.type in KNOWN_KINDS and not _is_foreign_content(item):
        return item
    if not 0 < len(item.type) <= MAX_NAME:
        ignored.note(f"item:{item.type}")
        return None
    return OddItem(item.type, id=item.id, status=item.status, call_id=item.call_id, json=bytes(raw).decode())


def _is_foreign_content(item: Item) -> bool:
    """Return whether it is a message of contents that have no part, all of them: a hologram, say."""
    return bool(item.content) and item.type == "message" and not any(map(_is_part, item.content or ()))


def _is_part(content: Content) -> bool:
    return content.type in TEXTS or content.type == "refusal"


def _odd_item(fields: lenient.Fields, ignored: Tally) -> OddItem:
    def contents(raw: bytes) -> list[Content] | None:
        if raw[:1] == b'"':
            return [Content(text=lenient.text(raw))]
        entries = _entries(raw, "content", ignored)
        return None if entries is None else [_content(bytes(entry), ignored) for entry in entries]

    kind = lenient.text(bytes(fields.get("type", b""))) or ""
    named = NAMED_KEYS.get(kind, frozenset()) if kind in KNOWN_KINDS else _UNNAMED
    shape = _ITEM_SHAPE | {"content": contents, "summary": contents}
    known = lenient.read_fields(
        fields, {name: convert for name, convert in shape.items() if name in named}, ignored
    )
    more = {name: raw for name, raw in fields.items() if name not in named and not lenient.is_nothing(raw)}
    unnamed = msgspec.json.encode(more).decode() if more and kind in KNOWN_KINDS else ""
    return OddItem(**{"type": ""} | known, more=unnamed)


def _content(raw: bytes, ignored: Tally) -> Content:
    try:
        return _CONTENT.decode(raw)
    except lenient.UNREADABLE:
        if raw[:1] == b'"':
            return Content(text=lenient.text(raw))
    try:
        return Content(**lenient.read_fields(lenient.fields_of(raw), _CONTENT_SHAPE, ignored))
    except lenient.UNREADABLE:
        ignored.skip("content")
        return Content()


def _entries(raw: bytes, name: str, ignored: Tally) -> list[msgspec.Raw] | None:
    """Split a list; a single object counts as a list of one.

    Returns None, and counts it, when it is neither.
    """
    if raw[:1] == b"{":
        return [msgspec.Raw(raw)]
    try:
        return _LIST.decode(raw)
    except lenient.UNREADABLE:
        if raw not in (b"", b"null"):
            ignored.skip(name)
        return None


_ITEM_SHAPE: dict[str, lenient.Convert] = {
    **dict.fromkeys(
        ("type", "id", "status", "role", "phase", "call_id", "name", "encrypted_content"), lenient.text
    ),
    **dict.fromkeys(("arguments", "input"), lenient.text_or_json),
}
_CONTENT_SHAPE: dict[str, lenient.Convert] = {
    **dict.fromkeys(("type", "text", "refusal"), lenient.text),
    **dict.fromkeys(("annotations", "logprobs"), lenient.untouched),
}


def _check_values(raw: msgspec.Raw) -> None:
    if lenient.has_too_many_values(raw):
        most = lenient.MAX_VALUES
        message = f"the upstream sent an output of more than {most} values"
        raise TurnError(Reason.PROTOCOL_ERROR, message)
