"""Server-sent events as bytes.

Owns the text format and the liberties a framing takes with it. It must never write to a socket.
"""

import msgspec

from simulator.errors import Json
from simulator.scripts.steps import Framing

DONE = b"[DONE]"


def encode(event: Json, framing: Framing, *, last: bool = False) -> bytes:
    """One event. The blank line behind the last one may be left out."""
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
