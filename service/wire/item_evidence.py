"""What says whether an item that the upstream sent is one that is known: names, contents, tools."""

from __future__ import annotations

from collections.abc import Sequence

from service.wire.call_items import CALL_KINDS, CallItem, anonymous
from service.wire.item_json import Item
from service.wire.output_items import OutputItem

MAX_COMPARED = 16
"""Candidates for one event: an answer of 4096 items of one name must not take seconds."""

Name = tuple[str, str]
"""The kind of an item, and an id or a call_id of it."""


def content_of(item: Item) -> str:
    """Return the content of an item as the upstream sent it, comparable with `OutputItem.content`."""
    match item.type:
        case _ if item.verbatim:
            return anonymous(item.verbatim)
        case "function_call":
            return item.arguments or ""
        case "custom_tool_call":
            return item.input or ""
        case "reasoning":
            return "".join(part.text or "" for part in (*(item.summary or ()), *(item.content or ())))
        case _:
            return "".join(part.text or part.refusal or "" for part in item.content or ())


def names(kind: str, item_id: str | None, call_id: str | None) -> Sequence[Name]:
    if call_id and call_id != item_id:
        return ((kind, item_id), (kind, call_id)) if item_id else ((kind, call_id),)
    return ((kind, item_id),) if item_id else ()


def is_named(known: OutputItem, item: Item) -> bool:
    names = {known.head.id, known.call_id} - {""}
    return item.id in names or item.call_id in names


def called(known: OutputItem) -> str:
    return known.called if isinstance(known, CallItem) else ""


def tool_of(item: Item) -> str:
    return (item.name or "") if item.type in CALL_KINDS else ""


def same(known: OutputItem, item: Item) -> bool:
    """Return whether both are of one tool and have one content."""
    if called(known) != tool_of(item) or not _may_be_sealed(known, item):
        return False
    return known.content == content_of(item)


def agrees(known: OutputItem, item: Item) -> bool:
    """Return whether one content may be an earlier state of the other."""
    if len({called(known), tool_of(item)} - {""}) > 1 or not _may_be_sealed(known, item):
        return False
    if not isinstance(known, CallItem) and item.verbatim:
        return True
    streamed, final = known.content, content_of(item)
    return final.startswith(streamed) or streamed.startswith(final)


def _may_be_sealed(known: OutputItem, item: Item) -> bool:
    """Return whether the encrypted contents are one, or one of them is missing."""
    return len({known.seal, item.encrypted_content or ""} - {""}) <= 1
