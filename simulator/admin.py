"""Serve the simulator's own endpoints under /sim: settings, counters, requests and queued directives.

They are for tests in another process and for a person with curl; nothing in a conversation leads to them.
"""

from typing import Any

import msgspec
from aiohttp import web

from simulator.errors import ApiError, Json
from simulator.journal import Journal
from simulator.scripts import catalog, directive
from simulator.scripts.turn import Turn
from simulator.settings import Settings
from simulator.upstream import Upstream


class Admin:
    def __init__(self, settings: Settings, journal: Journal, upstream: Upstream) -> None:
        self._settings = settings
        self._journal = journal
        self._upstream = upstream

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sim/settings", self._show),
            web.post("/sim/settings", self._merge),
            web.get("/sim/stats", self._stats),
            web.get("/sim/requests", self._requests),
            web.post("/sim/enqueue", self._enqueue),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        shown = msgspec.to_builtins(self._settings)
        return _json({**shown, "keys": len(self._settings.keys)})

    async def _merge(self, request: web.Request) -> web.Response:
        try:
            self._settings.merge(msgspec.json.decode(await request.read(), type=dict[str, Any]))
        except msgspec.DecodeError as problem:
            return _json({"error": str(problem)}, status=400)
        return await self._show(request)

    async def _stats(self, request: web.Request) -> web.Response:
        return _json(msgspec.to_builtins(self._journal.stats))

    async def _requests(self, request: web.Request) -> web.Response:
        return _json([received.summary() for received in self._journal.requests])

    async def _enqueue(self, request: web.Request) -> web.Response:
        """Queue directives such as `sim:drop(at=created)`, one for each of the next requests."""
        no_request = Turn({}, "http", ())
        try:
            texts = msgspec.json.decode(await request.read(), type=list[str])
            scripts = [catalog.build(directive.read(text), no_request) for text in texts]
        except (msgspec.DecodeError, ApiError) as problem:
            return _json({"error": str(problem)}, status=400)
        self._upstream.queued.extend(scripts)
        return _json({"queued": len(self._upstream.queued)})


def _json(body: Json | list[Json], status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
