"""Carry one answer over HTTP, as server-sent events or as a single JSON object."""

import asyncio
import contextlib
from collections.abc import Mapping

import msgspec
from aiohttp import web

from simulator.errors import Json
from simulator.scripts.faults import Close, Drop, End, Fault, Garbage, Hang, Page
from simulator.scripts.steps import Fail, Framing
from simulator.validation.request import Transport
from simulator.wires import sse
from simulator.wires.base import ConnectionEnded, end_connection, forever
from simulator.wires.frames import details, error_event

_TERMINAL = ("response.completed", "response.incomplete", "response.failed", "response.done")


class HttpWire:
    """Carries the answer of one request.

    Nothing is sent before the first event, so that a failure can still be an HTTP status.
    """

    transport: Transport = "http"

    def __init__(self, request: web.Request, headers: dict[str, str], *, stream: bool) -> None:
        self._request = request
        self._headers = headers
        self._stream = stream
        self._framing = Framing()
        self._events = 0
        self._streaming: web.StreamResponse | None = None
        self._whole: web.Response | None = None
        self.broken = False

    def adopt(self, framing: Framing) -> None:
        self._framing = framing

    async def send(self, event: Json) -> None:
        last = event["type"] in _TERMINAL
        if self._stream:
            self._events += 1
            await self._write(sse.encode(event, self._framing, last=last and not self._framing.done))
        elif last:
            self._whole = self._json(200, event["response"])

    def answer(self, body: Json) -> None:
        """Answer with this object and no event."""
        self._whole = self._json(200, body)

    async def fail(self, fail: Fail) -> None:
        if self._streaming is None:
            self._whole = self._json(fail.status, {"error": details(fail)}, fail.headers)
        else:
            await self.send(error_event(fail, "flat", self._events))

    async def inject(self, fault: Fault) -> None:
        match fault:
            case Garbage(data, "text"):
                await self._write(sse.frame(data, self._framing))
            case Garbage(data):
                await self._write(data)
            case Hang(_, reads):
                if not reads and self._request.transport is not None:
                    self._request.transport.pause_reading()
                await forever()
            case End():
                self.broken = True
                await self._open()
                raise ConnectionEnded
            case Page() if self._streaming is None:
                self.broken = True
                headers = {**self._headers, **fault.headers, "content-type": fault.content_type}
                self._whole = web.Response(status=fault.status, body=fault.body.encode(), headers=headers)
                raise ConnectionEnded
            case Drop() | Close() | Page():
                self.broken = True
                end_connection(self._request.transport, reset=isinstance(fault, Drop) and fault.reset)
                raise ConnectionEnded

    async def finish(self) -> web.StreamResponse:
        """Complete the HTTP response. A script without an ending leaves a stream without a terminal event."""
        if self._streaming is None:
            return self._whole or web.Response(status=500)
        with contextlib.suppress(ConnectionError):
            if self._framing.done and not self.broken:
                await self._write(sse.frame(sse.DONE, self._framing))
            await self._streaming.write_eof()
        return self._streaming

    async def _open(self) -> web.StreamResponse:
        if self._streaming is None:
            kind = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}
            self._streaming = web.StreamResponse(headers={**self._headers, **kind})
            await self._streaming.prepare(self._request)
        return self._streaming

    async def _write(self, data: bytes) -> None:
        streaming = await self._open()
        size = self._framing.chunk_bytes or len(data)
        for start in range(0, len(data), size):
            await streaming.write(data[start : start + size])
            if size < len(data):
                await asyncio.sleep(0)

    def _json(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> web.Response:
        all_headers = {**self._headers, **(headers or {}), "content-type": "application/json"}
        return web.Response(status=status, body=msgspec.json.encode(body), headers=all_headers)
