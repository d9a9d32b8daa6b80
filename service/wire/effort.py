"""Read and write the reasoning effort of a request, and its change as an item of the conversation."""

from __future__ import annotations

import msgspec

from service.domain.effort import UPDATE
from service.domain.messages import Item, Role, UpstreamItemPart
from service.wire.request_body import Json


def effort_of(settings: Json) -> str:
    """Return the effort that the settings ask for. Empty: none, or what a hook made of it is no text."""
    match settings.get("reasoning"):
        case {"effort": str(effort)}:
            return effort
        case _:
            return ""


def with_effort(settings: bytes, effort: str) -> bytes:
    """Return the settings with this effort in place of theirs; empty: with none."""
    body: Json = msgspec.json.decode(settings)
    found = body.pop("reasoning", None)
    kept = {key: value for key, value in found.items() if key != "effort"} if isinstance(found, dict) else {}
    if reasoning := kept | ({"effort": effort} if effort else {}):
        body["reasoning"] = reasoning
    return msgspec.json.encode(body)


def effort_update(effort: str) -> Item:
    """Return the item that changes the effort for what follows."""
    json = msgspec.json.encode({"type": UPDATE, "reasoning": {"effort": effort}}).decode()
    return Item(Role.USER, (UpstreamItemPart(UPDATE, json),))
