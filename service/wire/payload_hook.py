"""The operator's look at a request before it is planned.

Owns what the payload hook sees and what it may change. Must never know why it changes anything. The rule that
would be broken first: a hook cannot touch what decides whether a request is full or incremental.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import msgspec

from service.domain.errors import Reason, TurnError
from service.wire.request_body import SERVICE_KEYS

Json = dict[str, object]

PayloadHook = Callable[[Json], object]
"""Sees the full request and changes keys in place. It returns None, or a dict that replaces the request."""


def hooked(hook: PayloadHook, settings: Json, items: list[Json]) -> Json:
    """The settings as the hook leaves them. TurnError INTERNAL: it raised, or did what it may not."""
    body: Json = {**settings, "input": items}
    owned = _owned(body)
    try:
        answer = hook(body)
    except Exception as error:  # The operator's code: whatever it raises fails the turn, and only the turn.
        raise _failed(f"raised {type(error).__name__}") from error
    after = body if answer is None else answer
    if not isinstance(after, dict):
        raise _failed(f"returned {type(after).__name__}, not a dict")
    try:
        if _owned(after) != owned:
            raise _failed("changed a key that belongs to the service")
        # Written and read once: what follows deals with plain JSON, and cannot fail.
        changed = msgspec.json.decode(msgspec.json.encode({**after, "input": None}))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise _failed("left a value that is not JSON") from error
    del changed["input"]
    return cast("Json", changed)


def _owned(body: Json) -> dict[str, bytes]:
    return {key: msgspec.json.encode(body[key]) for key in SERVICE_KEYS if key in body}


def _failed(what: str) -> TurnError:
    return TurnError(Reason.INTERNAL, f"The payload hook {what}.")
