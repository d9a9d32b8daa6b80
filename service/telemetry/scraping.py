"""Serve the Prometheus endpoint `GET /metrics` in a thread with an event loop of its own.

`prometheus_client.start_http_server` starts a thread for each connection and waits without a limit: 400
half-sent requests are 400 threads, and where threads are bounded no scrape is answered any more. Here a
connection is a task. At most `MAX_CONNECTIONS` are open; one more replaces the oldest, so that silent
connections never keep a scrape out. It does not run in the service's loop: rendering many series takes
milliseconds, which would delay turns.

Content and format of the page are the library's (`make_wsgi_app`).
"""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import threading
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import prometheus_client
from prometheus_client.registry import CollectorRegistry

PATH = "/metrics"
MAX_CONNECTIONS = 32
MAX_HEAD_BYTES = 8 * 1024
REQUEST_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 1.0


class _RefusedError(Exception):
    """A request for something other than the page, and the status that it gets."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Endpoint:
    """Serve the registry. Raises OSError when the address is taken or not one of this host."""

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self._socket = socket.create_server((host, port), family=family, backlog=MAX_CONNECTIONS * 4)
        self.port: int = self._socket.getsockname()[1]
        self._page = prometheus_client.make_wsgi_app(registry)
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"Endpoint(port {self.port}, {len(self._open)} connections)"

    def close(self) -> None:
        """Close the port and all connections. Block for at most `CLOSE_TIMEOUT_S`."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._socket, limit=MAX_HEAD_BYTES)
        await self._stop.wait()
        # A connection that asyncio is still making fails on a closed server, and its socket stays open.
        while making := asyncio.all_tasks() - {asyncio.current_task(), *self._open.values()}:
            await asyncio.wait(making)
        server.close()
        for writer in self._open:
            writer.transport.abort()
        if self._open:
            await asyncio.wait(self._open.values())

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= MAX_CONNECTIONS:
            oldest = next(iter(self._open))
            del self._open[oldest]
            oldest.transport.abort()
        self._open[writer] = asyncio.create_task(self._answer_one(reader, writer))

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the peer was silent, hung up, or does not read
        finally:
            self._open.pop(writer, None)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        extra: Iterable[tuple[str, str]] = ()
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            status, extra, body = self._render(_environ(head))
        except asyncio.LimitOverrunError:
            status, body = _line(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), b""
        except _RefusedError as refusal:
            status, body = _line(refusal.status), f"{refusal.status.phrase}; GET {PATH}\n".encode()
        fields = [*extra, ("Content-Length", str(len(body))), ("Connection", "close")]
        text = "".join(f"{name}: {value}\r\n" for name, value in fields)
        writer.write(f"HTTP/1.1 {status}\r\n{text}\r\n".encode("latin-1") + body)
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            # Drain returns only when all of it has been passed to the system.
            writer.transport.set_write_buffer_limits(0)
            await writer.drain()
            writer.write_eof()
            await reader.read(MAX_HEAD_BYTES)

    def _render(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        responses: list[tuple[str, list[tuple[str, str]]]] = []
        body = b"".join(self._page(environ, lambda status, fields, *_: responses.append((status, fields))))
        status, fields = responses[-1]
        return status, fields, body


def _environ(head: bytes) -> dict[str, Any]:
    """Parse the head of a request into a WSGI environment. Raises _RefusedError."""
    line, _, rest = head.partition(b"\r\n")
    try:
        method, target, version = line.decode("ascii").split(" ")
        fields = http.client.parse_headers(io.BytesIO(rest))
    except (ValueError, http.client.HTTPException):
        raise _RefusedError(HTTPStatus.BAD_REQUEST) from None
    path, _, query = target.partition("?")
    if not version.startswith("HTTP/1."):
        raise _RefusedError(HTTPStatus.BAD_REQUEST)
    if path != PATH:
        raise _RefusedError(HTTPStatus.NOT_FOUND)
    if method != "GET":
        raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED)
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_ACCEPT": fields.get("Accept", ""),
        "HTTP_ACCEPT_ENCODING": fields.get("Accept-Encoding", ""),
    }


def _line(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"
