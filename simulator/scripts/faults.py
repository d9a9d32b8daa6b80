"""Faults of the connection, as steps of a script; each transport carries them out in its own way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Drop:
    """End the TCP connection without a close frame: by a reset, or by a plain end of stream."""

    reset: bool = True


@dataclass(frozen=True, slots=True)
class Close:
    """A WebSocket close frame. Over HTTP, where there is none, the connection ends in mid-stream."""

    code: int = 1011
    reason: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """End the answer properly but without a terminal event: the HTTP body, or close 1000."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing more.

    Without `pongs` the peer looks dead; without `reads` what the client sends fills the socket buffers.
    """

    pongs: bool = True
    reads: bool = True


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes that no upstream should send, in a text frame, in a binary frame, or in none."""

    data: bytes
    kind: Literal["text", "binary", "raw"] = "text"


@dataclass(frozen=True, slots=True)
class Page:
    """The answer of a proxy in between: a status and a foreign body. On a WebSocket: close 1011."""

    status: int = 502
    body: str = "<html><body><h1>Bad Gateway</h1></body></html>"
    content_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)


Fault = Drop | Close | End | Hang | Garbage | Page

NOT_JSON = Garbage(b'{"type": "response.output_text.delta", ')
NOT_AN_OBJECT = Garbage(b'["response.created"]')
NO_TYPE = Garbage(b'{"delta": "whose?"}')
BINARY = Garbage(b"\x00\x01\x02\x03", "binary")
BAD_UTF8 = Garbage(b'{"type": "\xff\xfe"}')
BAD_FRAME = Garbage(b"\xff\xff\xff\xff\xff\xff\xff\xff", "raw")
"""Reserved bits and an opcode that does not exist."""
