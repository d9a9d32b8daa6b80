"""Serve `/v1/responses`: authenticate, read the request, and answer it by POST or over a WebSocket.

`POST /v1/responses/compact` is answered as well.
Everything that refuses a caller before its request is understood is here: a missing or wrong key, a
body that is no JSON object or too large, and the refusals that a test has asked for in `Settings`.
"""

import itertools
from typing import Any

import msgspec
from aiohttp import web

from simulator import errors
from simulator.errors import ApiError, Json
from simulator.ids import Ids
from simulator.journal import Journal, Received
from simulator.memory import Slot
from simulator.settings import Settings
from simulator.upstream import Upstream
from simulator.wires.base import forever
from simulator.wires.http import HttpWire
from simulator.wires.websocket import Connection

PATH = "/v1/responses"
API_VERSION = "2020-10-01"


class ResponsesEndpoint:
    """Answer POST requests, and accept WebSocket handshakes, at `PATH`."""

    def __init__(self, settings: Settings, journal: Journal, upstream: Upstream, ids: Ids) -> None:
        self.connections: dict[str, Connection] = {}
        self._settings = settings
        self._journal = journal
        self._upstream = upstream
        self._ids = ids
        self._numbers = itertools.count(1)

    def routes(self) -> list[web.RouteDef]:
        compact = web.post(f"{PATH}/compact", self._compact)
        return [web.post(PATH, self._post), web.get(PATH, self._get), compact]

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("upgrade", "").lower() != "websocket":
            return self._error(ApiError("This endpoint needs POST or a WebSocket upgrade.", status=405))
        self._journal.count("handshakes")
        refusal = await self._refusal(request)
        if refusal is not None:
            self._journal.count("refused")
            return refusal
        connection = Connection(self._next("conn"), request, self._settings, self._journal, self._answer)
        self.connections[connection.id] = connection
        self._journal.count("connections_total")
        self._journal.count("open_connections")
        try:
            return await connection.serve()
        finally:
            del self.connections[connection.id]
            self._journal.count("open_connections", -1)

    async def _post(self, request: web.Request) -> web.StreamResponse:
        received = await self._received(request)
        if not isinstance(received, Received):
            return received
        stream = received.body.get("stream") is True and not self._settings.ignore_stream
        wire = HttpWire(request, self._headers(), stream=stream)
        await self._upstream.answer(received, Slot(), wire)
        return await wire.finish()

    async def _received(self, request: web.Request) -> Received | web.Response:
        """Return the request of a POST, or its refusal."""
        self._journal.count("http_requests")
        data = await request.read()
        self._journal.count("bytes_received", len(data))
        if self._settings.refuse_http is not None:
            return self._refused(self._settings.refuse_http)
        try:
            self._authenticate(request)
            body = self._body(data)
        except ApiError as error:
            return self._error(error)
        received = Received("http", self._next("http"), body, len(data), dict(request.headers))
        self._journal.arrived(received)
        return received

    async def _compact(self, request: web.Request) -> web.StreamResponse:
        if self._settings.no_compaction:
            raise web.HTTPNotFound
        received = await self._received(request)
        if not isinstance(received, Received):
            return received
        received.compacts = True
        wire = HttpWire(request, self._headers(), stream=False)
        await self._upstream.compact(received, wire)
        return await wire.finish()

    async def _answer(self, connection: Connection, received: Received) -> None:
        await self._upstream.answer(received, connection.slot, connection)

    async def _refusal(self, request: web.Request) -> web.Response | None:
        """Return the refusal of a handshake, or None when it may go on."""
        settings = self._settings
        if settings.hang_handshake:
            await forever()
        if settings.refuse_websocket is not None and settings.refuse_times != 0:
            if settings.refuse_times is not None:
                settings.refuse_times -= 1
            return self._refused(settings.refuse_websocket)
        try:
            self._authenticate(request)
        except ApiError as error:
            return self._error(error)
        return None

    def _authenticate(self, request: web.Request) -> None:
        given = request.headers.get(self._settings.key_header, "")
        scheme, _, key = given.partition(" ")
        if self._settings.key_header == "api-key":
            scheme, key = "bearer", given
        if scheme.lower() != "bearer" or not key.strip():
            raise errors.no_key()
        if self._settings.keys and key.strip() not in self._settings.keys:
            raise errors.wrong_key(key)

    def _body(self, data: bytes) -> Json:
        if len(data) > self._settings.max_body_bytes:
            raise ApiError("Request body too large.", status=413)
        try:
            body: Any = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError) as problem:
            raise errors.not_json() from problem
        if not isinstance(body, dict):
            raise errors.not_json()
        return body

    def _refused(self, status: int) -> web.Response:
        settings = self._settings
        retry_after = {"retry-after": settings.retry_after} if settings.retry_after else {}
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return self._error(
            ApiError("Refused.", status=status, kind=kind), {**settings.refuse_headers, **retry_after}
        )

    def _error(self, error: ApiError, headers: dict[str, str] | None = None) -> web.Response:
        body = msgspec.json.encode({"error": error.body()})
        all_headers = {**self._headers(), **(headers or {}), "content-type": "application/json"}
        return web.Response(status=error.status, body=body, headers=all_headers)

    def _headers(self) -> dict[str, str]:
        return {
            "x-request-id": self._ids.new("req"),
            "openai-version": API_VERSION,
            "openai-processing-ms": "1",
        }

    def _next(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers)}"
