"""An upstream that says any bytes: one TCP server, one handler for each connection."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec

from tests.tcp import tcp_server

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter, bytes], Awaitable[None]]

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Event = dict[str, object]

ANSWER: list[Event] = [
    {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}},
    {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "msg_1"}},
    {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "delta": "Hello."},
    {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": []}},
]
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def upstream(handle: Handler) -> AsyncIterator[str]:
    """Its URL. The handler gets what the client sent up to the blank line; the connection ends with it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await handle(reader, writer, await reader.readuntil(b"\r\n\r\n"))

    async with tcp_server(serve) as port:
        yield f"http://127.0.0.1:{port}/v1"


def is_upgrade(head: bytes) -> bool:
    return head.startswith(b"GET")


def accepted(head: bytes) -> bytes:
    """The answer to a WebSocket handshake."""
    found = re.search(rb"(?i)sec-websocket-key: *([^\r]+)", head)
    assert found is not None
    key = base64.b64encode(hashlib.sha1(found[1] + _GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
    )


def frame(data: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    """One unmasked frame."""
    size = len(data)
    if size < 126:
        length = bytes([size])
    elif size < 2**16:
        length = b"\x7e" + size.to_bytes(2, "big")
    else:
        length = b"\x7f" + size.to_bytes(8, "big")
    return bytes([0x80 * fin | opcode]) + length + data


def closing(code: int) -> bytes:
    return frame(code.to_bytes(2, "big"), 8)


def as_frames(events: list[Event]) -> bytes:
    return b"".join(frame(msgspec.json.encode(event)) for event in events)


def as_stream(events: list[Event]) -> bytes:
    return b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events)
