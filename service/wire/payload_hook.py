"""Run the operator's payload hook on a request before it is planned.

The hook sees the full request and may change any key that does not belong to the service (`SERVICE_KEYS`),
so it cannot affect whether a request is full or incremental.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec

from service.domain.errors import Reason, TurnError
from service.domain.limits import json_nodes
from service.wire.json_input import refused
from service.wire.request_body import SERVICE_KEYS

Json = dict[str, object]

PayloadHook = Callable[[Json], object]
"""Receives the full request and changes it in place; returns None, or a dict that replaces it."""


MAX_NODES = 1_000_000
"""Brackets, commas and colons of a request that is built for a hook: at most 100 MiB of objects."""


def hooked(hook: PayloadHook, settings: Json, items: list[Json | msgspec.Raw]) -> Json:
    """Return the settings after the hook.

    Raises TurnError INTERNAL when the hook raised or changed what it may not, INVALID_REQUEST when items that
    are otherwise only copied are too large to be built for it.
    """
    if _nodes(items) > MAX_NODES:
        raise refused("messages", f"have items of more than {MAX_NODES} brackets, commas and colons")
    body: Json = {**settings, "input": _built(items)}
    owned = _owned(body)
    try:
        answer = hook(body)
    except Exception as error:  # the operator's code may raise anything: it fails only this turn
        raise _failed(f"raised {type(error).__name__}") from error
    after = body if answer is None else answer
    if not isinstance(after, dict):
        raise _failed(f"returned {type(after).__name__}, not a dict")
    try:
        if _owned(after) != owned:
            raise _failed("changed a key that belongs to the service")
        # Encoded and decoded once, so that later steps have plain JSON and cannot fail.
        changed = msgspec.json.decode(msgspec.json.encode({**after, "input": None}))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise _failed("left a value that is not JSON") from error
    del changed["input"]
    return cast("Json", changed)


def _built(value: object) -> object:
    """Build the JSON that was only to be copied: a hook sees plain values."""
    match value:
        case msgspec.Raw():
            try:
                return msgspec.json.decode(value)
            except (msgspec.DecodeError, RecursionError) as error:
                raise refused("messages", "have an item that is nested too deep") from error
        case dict():
            return {key: _built(inner) for key, inner in value.items()}
        case list():
            return [_built(inner) for inner in value]
        case _:
            return value


def _nodes(value: object) -> int:
    """Count the nodes of the JSON that is only copied."""
    match value:
        case msgspec.Raw():
            return json_nodes(bytes(value).decode())
        case dict():
            return sum(map(_nodes, value.values()))
        case list():
            return sum(map(_nodes, value))
        case _:
            return 0


def _owned(body: Json) -> dict[str, bytes]:
    return {key: msgspec.json.encode(body[key]) for key in SERVICE_KEYS if key in body}


def _failed(what: str) -> TurnError:
    return TurnError(Reason.INTERNAL, f"The payload hook {what}.")
