"""Encode a turn for the upstream, as a WebSocket frame or the body of a POST.

`prepare` does once per turn what does not depend on the plan; `encode` adds the planned items and the plan's
previous_response_id, once per attempt. A WebSocket frame of an incremental turn:

    {"type":"response.create","model":"m","store":false,...,"previous_response_id":"resp_1","input":[...]}
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from service.domain.messages import CompletionRequest, Item, items_of
from service.domain.plan import ChainFingerprint, Plan
from service.wire.effort import effort_of, effort_update, with_effort
from service.wire.input_items import OPENAI, Dialect, Json, item_jsons, sent
from service.wire.json_input import refused
from service.wire.payload_hook import PayloadHook, hooked
from service.wire.pieces import pieces
from service.wire.request_body import fingerprint_of, settings_of

__all__ = [
    "Dialect",
    "PayloadHook",
    "PreparedRequest",
    "bytes_saved",
    "encode",
    "item_sizes",
    "prepare",
    "write_input",
    "write_json",
]

NO_LIMIT = sys.maxsize


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One turn, ready except for what the plan decides.

    `items` are the whole conversation. `settings` is the body as a JSON object without type, input,
    previous_response_id, stream and generate. `fingerprint` holds digests of those settings that must not
    change while a chain continues. `large`: it is written piece by piece. `model` and `effort` are those of
    the settings.
    """

    items: tuple[Item, ...]
    settings: bytes
    fingerprint: ChainFingerprint
    store: bool
    large: bool = False
    model: str = ""
    effort: str = ""
    dialect: Dialect = OPENAI

    @property
    def ids(self) -> bool:
        """Whether items go with their ids."""
        return self.store and self.dialect.ids


def prepare(
    request: CompletionRequest,
    hook: PayloadHook | None = None,
    *,
    cache_key: str = "",
    dialect: Dialect = OPENAI,
    most: int = NO_LIMIT,
) -> PreparedRequest:
    """Convert the request and run the operator's hook on it. `most`: bytes of the settings.

    `cache_key`: the `prompt_cache_key` where the caller sets none; empty: none.

    Raises TurnError INVALID_REQUEST when the request is invalid or too large, INTERNAL when the hook failed.
    """
    items = tuple(items_of(request.messages))
    settings = settings_of(request, cache_key)
    if hook is not None:
        ids = bool(settings["store"]) and dialect.ids
        settings = hooked(hook, settings, list(_jsons(items, ids=ids, paired=dialect.paired)))
    # The upstream stores by default. The service always sends `store`, but a hook may remove it.
    stored = settings.get("store") is not False
    large = request.large
    if large:
        body = bytearray()
        write_json(body, settings, most)
        written = bytes(body)
    else:
        written = msgspec.json.encode(settings)
    fingerprint = fingerprint_of(settings, large=large)
    effort = effort_of(settings)
    return PreparedRequest(items, written, fingerprint, stored, large, request.model, effort, dialect)


def encode(
    prepared: PreparedRequest, plan: Plan, *, websocket: bool, generate: bool = True, most: int = NO_LIMIT
) -> bytes | bytearray:
    """Encode the planned request in UTF-8: the payload of a text frame, or the body of a POST.

    `generate=False` is a warm-up, which is only possible over a WebSocket. Raises TurnError INVALID_REQUEST
    when a large request takes more than `most` bytes; encoding stops there.
    """
    if not (generate or websocket):
        raise ValueError("a POST cannot be a warm-up")
    body = bytearray(b'{"type":"response.create",' if websocket else b'{"stream":true,')
    settings = prepared.settings
    if plan.asked_effort is not None:
        settings = with_effort(settings, plan.asked_effort)
    body += memoryview(settings)[1:-1]
    if not generate:
        body += b',"generate":false'
    body += _id(plan)
    body += b","
    items = (effort_update(plan.update), *plan.items) if plan.update else plan.items
    paired = prepared.dialect.paired
    write_input(body, items, ids=prepared.ids, paired=paired, large=prepared.large, most=most)
    body += b"}"
    return body if prepared.large else bytes(body)  # a large one is not copied


def write_input(
    body: bytearray,
    items: Sequence[Item],
    *,
    ids: bool,
    paired: bool = True,
    large: bool = False,
    most: int = NO_LIMIT,
) -> None:
    """Append the items as the key "input", with their `ids` or without. `large`: piece by piece.

    Raises TurnError INVALID_REQUEST when a large body gets more than `most` bytes; encoding stops there.
    """
    body += b'"input":['
    if not large:
        body += b",".join(filter(None, _written(items, ids=ids, paired=paired)))
    else:
        separator = b""
        for json in _jsons(items, ids=ids, paired=paired):
            body += separator
            write_json(body, json, most)
            separator = b","
    body += b"]"


def item_sizes(items: Sequence[Item], *, ids: bool, paired: bool = True, large: bool = False) -> list[int]:
    """Return the bytes that each item takes in "input", separators included; 0: it is not written.

    With the separator the sizes of two halves add up to the size of the whole.
    """
    if not large:
        return [_size(item) for item in _written(items, ids=ids, paired=paired)]
    return [
        sum(1 + sum(map(len, pieces(json))) for json in item_jsons(item, store=ids)) if item else 0
        for item in sent(items, store=ids, paired=paired)
    ]


def bytes_saved(plan: Plan) -> int:
    """Return how many bytes longer the same request would be in full.

    Exact as long as any item of the suffix is written. 0 when the id is longer than what it replaces.
    """
    return max(0, plan.bytes_known - len(_id(plan)))


def _written(items: Sequence[Item], *, ids: bool, paired: bool) -> list[bytes]:
    return [
        b",".join(map(msgspec.json.encode, item_jsons(item, store=ids))) if item else b""
        for item in sent(items, store=ids, paired=paired)
    ]


def _jsons(items: Sequence[Item], *, ids: bool, paired: bool) -> Iterator[Json | msgspec.Raw]:
    for item in sent(items, store=ids, paired=paired):
        if item is not None:
            yield from item_jsons(item, store=ids)


def write_json(body: bytearray, value: object, most: int) -> None:
    """Append the value, piece by piece. Raises as `write_input` does."""
    for piece in pieces(value):
        body += piece
        if len(body) > most:
            raise refused(
                "request", f"written as JSON it has more than {most} bytes, the most that are allowed"
            )


def _size(written: bytes) -> int:
    return len(written) + 1 if written else 0


def _id(plan: Plan) -> bytes:
    if not plan.incremental:
        return b""
    return b',"previous_response_id":' + msgspec.json.encode(plan.previous_response_id)
