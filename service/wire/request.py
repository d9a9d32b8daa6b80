"""A turn as the bytes that go upstream.

Owns the body around the input, for a WebSocket frame and for a POST, and the count of what a plan saves. Must
never know why a plan is as it is. The rule that would be broken first: an id is written only because the plan
carries one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from service.domain.messages import CompletionRequest, Item, items_of
from service.domain.plan import Basis, Plan
from service.wire.hook import PayloadHook, hooked
from service.wire.items import item_json
from service.wire.settings import basis_of, settings_of

__all__ = ["Draft", "PayloadHook", "bytes_saved", "draft", "encode", "item_sizes"]


@dataclass(frozen=True, slots=True)
class Draft:
    """One turn, ready but for what the plan decides.

    `items` are the whole conversation. `settings` is the body as a JSON object without type, input, id,
    stream and generate. `basis` digests what of it a chain stands on.
    """

    items: tuple[Item, ...]
    settings: bytes
    basis: Basis
    store: bool


def draft(request: CompletionRequest, hook: PayloadHook | None = None) -> Draft:
    """The request in the upstream's dialect, past the operator's hook.

    TurnError INVALID_REQUEST: it cannot be said in it; INTERNAL: the hook misbehaved.
    """
    items = tuple(items_of(request.messages))
    settings = settings_of(request)
    if hook is not None:
        store = bool(settings["store"])
        settings = hooked(hook, settings, [json for item in items if (json := item_json(item, store=store))])
    # Where nothing is said the upstream stores; the service always says, but a hook may take it back.
    stored = settings.get("store") is not False
    return Draft(items, msgspec.json.encode(settings), basis_of(settings), stored)


def encode(draft: Draft, plan: Plan, *, websocket: bool, generate: bool = True) -> bytes:
    """What is sent for the plan, in UTF-8: the payload of a text frame, or the body of a POST.

    `generate=False` warms the upstream up, which only a WebSocket can.
    """
    if not (generate or websocket):
        raise ValueError("a POST cannot do without generating")
    items = _written(plan.items, store=draft.store)
    body = bytearray(b'{"type":"response.create",' if websocket else b'{"stream":true,')
    body += draft.settings[1:-1]
    if not generate:
        body += b',"generate":false'
    body += _id(plan)
    body += b',"input":[' + b",".join(filter(None, items)) + b"]}"
    return bytes(body)


def item_sizes(items: Iterable[Item], *, store: bool) -> list[int]:
    """The bytes that each item takes inside "input", one separator included, so that the counts of two halves
    add up; 0: it is not written.
    """
    return [_size(item) for item in _written(items, store=store)]


def bytes_saved(plan: Plan) -> int:
    """How much longer the same request would be in full: to the byte, as long as the suffix writes anything.

    Never below 0: where the id is longer than what it replaces, nothing was saved.
    """
    return max(0, plan.bytes_known - len(_id(plan)))


def _written(items: Iterable[Item], *, store: bool) -> list[bytes]:
    jsons = (item_json(item, store=store) for item in items)
    return [b"" if json is None else msgspec.json.encode(json) for json in jsons]


def _size(written: bytes) -> int:
    return len(written) + 1 if written else 0


def _id(plan: Plan) -> bytes:
    if not plan.incremental:
        return b""
    return b',"previous_response_id":' + msgspec.json.encode(plan.previous_response_id)
