"""A proxy whose connections can be cut: what a client sees when a network or a proxy breaks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHUNK_BYTES = 65_536


@contextmanager
def cutting(target: str) -> Iterator[tuple[str, str]]:
    """Forward TCP to `target` (`HOST:PORT`), in a thread. Yields the proxy's address, and the one that cuts.

    A connection to the latter breaks all connections of the proxy, and is then closed.
    """
    proxy = _Proxy(target)
    thread = threading.Thread(target=asyncio.run, args=(proxy.run(),), daemon=True)
    thread.start()
    proxy.ready.wait()
    try:
        yield proxy.address, proxy.control
    finally:
        proxy.stop()
        thread.join()


class _Proxy:
    def __init__(self, target: str) -> None:
        self._host, _, self._port = target.rpartition(":")
        self._open: set[asyncio.StreamWriter] = set()
        self._forwarding: set[asyncio.Task[None] | None] = set()
        self.ready = threading.Event()
        self.address = self.control = ""

    async def run(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        door = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        control = await asyncio.start_server(self._cut, "127.0.0.1", 0)
        self.address, self.control = (
            f"127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in (door, control)
        )
        self.ready.set()
        await self._ended.wait()
        door.close()
        control.close()
        self._abort()
        await asyncio.gather(*filter(None, self._forwarding))

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _cut(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._abort()
        writer.close()

    def _abort(self) -> None:
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._forwarding.add(task)
        self._open.add(writer)
        with suppress(OSError):
            behind, to_service = await asyncio.open_connection(self._host, int(self._port))
            self._open.add(to_service)
            await asyncio.gather(_pump(reader, to_service), _pump(behind, writer))
            self._open.discard(to_service)
        writer.close()
        self._open.discard(writer)
        self._forwarding.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()
