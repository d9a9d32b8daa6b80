"""A turn as the bytes that go upstream.

Owns the body around the input, for a WebSocket frame and for a POST, and the count of what a plan saves. Must
never know why a plan is as it is. The rule that would be broken first: an id is written only because the plan
carries one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from service.domain.messages import CompletionRequest, Item, items_of
from service.domain.plan import ChainFingerprint, Plan
from service.wire.input_items import item_json
from service.wire.json_input import refused
from service.wire.payload_hook import PayloadHook, hooked
from service.wire.pieces import pieces
from service.wire.request_body import fingerprint_of, settings_of

__all__ = ["PayloadHook", "PreparedRequest", "bytes_saved", "encode", "item_sizes", "prepare"]

NO_LIMIT = sys.maxsize


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One turn, ready except for what the plan decides.

    `items` are the whole conversation. `settings` is the body as a JSON object without type, input,
    previous_response_id, stream and generate. `fingerprint` holds digests of those settings that must not
    change while a chain continues. `large`: it is written piece by piece.
    """

    items: tuple[Item, ...]
    settings: bytes
    fingerprint: ChainFingerprint
    store: bool
    large: bool = False


def prepare(
    request: CompletionRequest, hook: PayloadHook | None = None, *, most: int = NO_LIMIT
) -> PreparedRequest:
    """The request in the upstream's dialect, past the operator's hook. `most`: bytes, without the input.

    TurnError INVALID_REQUEST: it cannot be said in it, or only at length; INTERNAL: the hook misbehaved.
    """
    items = tuple(items_of(request.messages))
    settings = settings_of(request)
    if hook is not None:
        store = bool(settings["store"])
        settings = hooked(hook, settings, [json for item in items if (json := item_json(item, store=store))])
    # Where nothing is said the upstream stores; the service always says, but a hook may take it back.
    stored = settings.get("store") is not False
    large = request.large
    if not large:
        return PreparedRequest(items, msgspec.json.encode(settings), fingerprint_of(settings), stored)
    written = bytearray()
    _write(written, settings, most)
    return PreparedRequest(items, bytes(written), fingerprint_of(settings, large=large), stored, large=large)


def encode(
    prepared: PreparedRequest, plan: Plan, *, websocket: bool, generate: bool = True, most: int = NO_LIMIT
) -> bytes | bytearray:
    """What is sent for the plan, in UTF-8: the payload of a text frame, or the body of a POST.

    `generate=False` warms the upstream up, which only a WebSocket can. TurnError INVALID_REQUEST: a large
    request takes more than `most` bytes; the writing stops there.
    """
    if not (generate or websocket):
        raise ValueError("a POST cannot do without generating")
    body = bytearray(b'{"type":"response.create",' if websocket else b'{"stream":true,')
    body += memoryview(prepared.settings)[1:-1]
    if not generate:
        body += b',"generate":false'
    body += _id(plan)
    body += b',"input":['
    if not prepared.large:
        body += b",".join(filter(None, _written(plan.items, store=prepared.store))) + b"]}"
        return bytes(body)
    separator = b""
    for item in plan.items:
        json = item_json(item, store=prepared.store)
        if json is not None:
            body += separator
            _write(body, json, most)
            separator = b","
    body += b"]}"
    return body  # as it is: a copy would be as large


def item_sizes(items: Iterable[Item], *, store: bool, large: bool = False) -> list[int]:
    """The bytes that each item takes inside "input", one separator included, so that the counts of two halves
    add up; 0: it is not written.
    """
    if not large:
        return [_size(item) for item in _written(items, store=store)]
    jsons = (item_json(item, store=store) for item in items)
    return [0 if json is None else sum(map(len, pieces(json))) + 1 for json in jsons]


def bytes_saved(plan: Plan) -> int:
    """How much longer the same request would be in full: to the byte, as long as the suffix writes anything.

    Never below 0: where the id is longer than what it replaces, nothing was saved.
    """
    return max(0, plan.bytes_known - len(_id(plan)))


def _written(items: Iterable[Item], *, store: bool) -> list[bytes]:
    jsons = (item_json(item, store=store) for item in items)
    return [b"" if json is None else msgspec.json.encode(json) for json in jsons]


def _write(body: bytearray, value: object, most: int) -> None:
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
