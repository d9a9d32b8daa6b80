"""Encode server-sent events."""

import msgspec

from simulator.errors import Json
from simulator.scripts.steps import Framing

DONE = b"[DONE]"


def encode(event: Json, framing: Framing, *, last: bool = False) -> bytes:
    """Encode one event. The framing may leave out the blank line after the last one."""
    data = msgspec.json.encode(event)
    if framing.multiline:
        data = msgspec.json.format(data, indent=1)
    name = event["type"] if framing.event_names else None
    blank = not last or framing.last_blank_line
    return frame(data, framing, name=name, blank=blank)


def frame(data: bytes, framing: Framing, *, name: str | None = None, blank: bool = True) -> bytes:
    newline = framing.newline.encode()
    lines = [b": keep-alive", b""] if framing.comments else []
    lines += [b"event: " + name.encode()] if name else []
    lines += [b"data: " + line for line in data.split(b"\n")]
    return newline.join(lines) + newline + (newline if blank else b"")
