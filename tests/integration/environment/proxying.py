"""A small HTTP proxy: CONNECT and the absolute form, with credentials if it wants them."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from tests.tcp import tcp_server

HANG_UP = "hang up"
REFUSED = "407 Proxy Authentication Required"


class Proxy:
    """Leads to `target` whatever the host: names are invented, so that only the proxy can reach them.

    `credentials`: user:password that it insists on. `refuse`: the status with which it refuses CONNECT, or
    HANG_UP.
    `seen`: the request lines; `heads`: with their headers.
    """

    def __init__(self, target: int, credentials: str = "", refuse: str = "") -> None:
        self.target = target
        self.refuse = refuse
        self.seen: list[str] = []
        self.heads: list[str] = []
        self.port = 0
        self._wanted = "basic " + base64.b64encode(credentials.encode()).decode()
        self._insists = bool(credentials)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            self.seen.append(head.splitlines()[0])
            refusal = self.refuse if head.startswith("CONNECT") else ""
            if self._insists and self._wanted not in head.replace("Basic", "basic"):
                refusal = REFUSED
            if refusal == HANG_UP:
                pass
            elif refusal:
                # Its body is read, or its sender would hear a reset in place of the answer.
                writer.write(f"HTTP/1.1 {refusal}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                await reader.read(2**20)
            else:
                await self._lead(head, reader, writer)

    async def _lead(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, onwards = await asyncio.open_connection("127.0.0.1", self.target)
        method, url, version = head.splitlines()[0].split(" ")
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = urlsplit(url).path
            onwards.write(head.replace(f"{method} {url} {version}", f"{method} {path} {version}").encode())
        await _relay(reader, writer, beyond, onwards)


async def _relay(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    beyond: asyncio.StreamReader,
    onwards: asyncio.StreamWriter,
) -> None:
    try:
        await asyncio.gather(_pipe(reader, onwards), _pipe(beyond, writer))
    except asyncio.CancelledError:
        onwards.transport.abort()
        raise


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def listening(
    proxy: Proxy, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    """The proxy at a free port."""
    async with tcp_server(proxy.serve, host, tls) as proxy.port:
        yield proxy


@asynccontextmanager
async def secured(port: int, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """TLS in front of a port of this machine. Yields the port of that."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, onwards = await asyncio.open_connection("127.0.0.1", port)
        await _relay(reader, writer, beyond, onwards)

    async with tcp_server(serve, tls=tls) as front:
        yield front
