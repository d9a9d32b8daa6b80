"""A small HTTP proxy: CONNECT and the absolute form, with credentials if it wants them."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

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
        writer.close()

    async def _lead(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, onwards = await asyncio.open_connection("127.0.0.1", self.target)
        method, url, version = head.splitlines()[0].split(" ")
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = urlsplit(url).path
            onwards.write(head.replace(f"{method} {url} {version}", f"{method} {path} {version}").encode())
        await asyncio.gather(_pipe(reader, onwards), _pipe(beyond, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise


@asynccontextmanager
async def listening(
    proxy: Proxy, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Proxy]:
    """The proxy at a free port."""
    async with _served(proxy.serve, host, tls) as proxy.port:
        yield proxy


@asynccontextmanager
async def secured(port: int, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """TLS in front of a port of this machine. Yields the port of that."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond, onwards = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, onwards), _pipe(beyond, writer))

    async with _served(serve, "127.0.0.1", tls) as front:
        yield front


@asynccontextmanager
async def _served(serve, host, tls) -> AsyncIterator[int]:
    tasks = set[asyncio.Task[None]]()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(tracked, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # what was aborted is closed by the loop's next turn
