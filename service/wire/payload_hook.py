"""Run the operator's payload hook on a request before it is planned.

The hook sees the full request and may change any key that does not belong to the service (`SERVICE_KEYS`),
so it cannot affect whether a request is full or incremental.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec

from service.domain.errors import Reason, TurnError
from service.wire.request_body import SERVICE_KEYS

Json = dict[str, object]

PayloadHook = Callable[[Json], object]
"""Receives the full request and changes it in place; returns None, or a dict that replaces it."""


def hooked(hook: PayloadHook, settings: Json, items: list[Json]) -> Json:
    """Return the settings after the hook.

    Raises TurnError INTERNAL when the hook raised or changed what it may not.
    """
    body: Json = {**settings, "input": items}
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


def _owned(body: Json) -> dict[str, bytes]:
    return {key: msgspec.json.encode(body[key]) for key in SERVICE_KEYS if key in body}


def _failed(what: str) -> TurnError:
    return TurnError(Reason.INTERNAL, f"The payload hook {what}.")
