"""A TCP server of a test: `tcp_server`."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import selector_events
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from types import CoroutineType

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def tcp_server(
    serve: Serve, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve each connection in a task of its own, and close it when that ends. Yields the port.

    A task that fails is reported to the loop's exception handler, and its connection is aborted.
    At the end of the block the tasks are cancelled and their connections aborted, also one that has just
    come. What else a task has opened it aborts itself, before it awaits anything in its `finally`.
    """
    loop = asyncio.get_running_loop()
    running: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Not a coroutine, which asyncio would start later: no connection is ever unknown.
        task = asyncio.create_task(serve_one(reader, writer))
        running[task] = writer
        task.add_done_callback(ended)

    def ended(task: asyncio.Task[None]) -> None:
        writer = running.pop(task)
        writer.transport.abort()
        if not task.cancelled() and (error := task.exception()) is not None:
            loop.call_exception_handler({"message": "a connection's task failed", "exception": error})

    server = await asyncio.start_server(connected, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        # A connection that asyncio is still making fails on a closed server, and its socket stays open.
        while making := _being_made():
            await asyncio.wait(making)
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)  # what was aborted is closed by the loop's next turn


def _being_made() -> set[asyncio.Task[object]]:
    """Return the tasks of asyncio itself: each makes a connection that a server has accepted."""
    return {task for task in asyncio.all_tasks() if _file_of(task.get_coro()) == selector_events.__file__}


def _file_of(coroutine: object) -> str:
    return coroutine.cr_code.co_filename if isinstance(coroutine, CoroutineType) else ""
