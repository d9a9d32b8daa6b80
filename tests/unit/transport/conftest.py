"""A peer that does on the wire exactly what a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from service.transport.connection import Connection
from service.transport.handshake import connect_to
from service.transport.receive_buffer import now

PATIENCE_S = 30.0
TLS = ssl.create_default_context()


async def until(predicate: Callable[[], object]) -> None:
    """Waits for what nothing announces."""
    async with asyncio.timeout(PATIENCE_S):
        while not predicate():  # noqa: ASYNC110  what is watched knows no events
            await asyncio.sleep(0.002)


class Peer:
    """The other end of one line. It answers pings and closes; what it sends, the test sends."""

    def __init__(self) -> None:
        self.url = ""
        self.connected = asyncio.Event()
        self.gone = asyncio.Event()
        self.received: list[str | bytes] = []
        self.socket: Any = None

    async def serve(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.connected.set()
        try:
            async for message in socket:
                self.received.append(message)
        finally:
            self.gone.set()

    def write(self, *frames: Frame) -> None:
        """All of them in one write, so that they arrive in one read."""
        self.write_raw(b"".join(frame.serialize(mask=False) for frame in frames))

    def write_raw(self, data: bytes) -> None:
        self.socket.transport.write(data)

    def stop_reading(self) -> None:
        """From now on it hears nothing, and so answers nothing."""
        self.socket.transport.pause_reading()

    def reset(self) -> None:
        self.socket.transport.abort()


def text(data: str | bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.TEXT, data.encode() if isinstance(data, str) else data, fin)


def more(data: str, *, fin: bool) -> Frame:
    return Frame(Opcode.CONT, data.encode(), fin)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    async with serve(
        peer.serve, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None, close_timeout=0.05
    ) as server:
        peer.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield peer


@pytest.fixture
async def dial(peer):
    """Opens a line to the peer. After the test it is gone."""
    lines: list[Connection] = []

    async def dialled(**settings) -> Connection:
        connection = await connect_to(peer.url, {"Authorization": "Bearer k"}, TLS)
        defaults = {"ping_interval_s": 1000.0, "ping_timeout_s": 1000.0, "expires_at": now() + 1000}
        lines.append(Connection(connection, **defaults | settings))
        await peer.connected.wait()
        return lines[-1]

    yield dialled
    for line in lines:
        line.discard()
        await asyncio.wait_for(line.closed(), PATIENCE_S)


@pytest.fixture
async def line(dial):
    return await dial()
