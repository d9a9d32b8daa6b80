"""The simulator as a server on one port, and the object that a test controls it with."""

import secrets
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from simulator.admin import Admin
from simulator.endpoint import ResponsesEndpoint
from simulator.ids import Ids
from simulator.journal import Journal, Received, Stats
from simulator.scripts.steps import Script
from simulator.settings import Settings
from simulator.upstream import Upstream
from simulator.wires.websocket import Connection

SHUTDOWN_S = 0.05
GOING_AWAY = 1001


class Simulator:
    """A Responses upstream on one port. `async with Simulator() as sim:` serves until the block ends."""

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        settings: Settings | None = None,
        seed: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.port = port
        self.settings = settings or Settings()
        self._host = host
        self._journal = Journal(self.settings)
        ids = Ids(secrets.token_hex(4) if seed is None else seed)
        self._upstream = Upstream(self.settings, self._journal, ids, clock)
        self._endpoint = ResponsesEndpoint(self.settings, self._journal, self._upstream, ids)
        self._runner: web.AppRunner | None = None

    def __repr__(self) -> str:
        return (
            f"<Simulator {self.url} connections={len(self.connections)} requests={self.stats.requests_total}>"
        )

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}/v1"

    @property
    def requests(self) -> list[Received]:
        """The latest requests, oldest first, as many as `settings.keep_requests`."""
        return self._journal.requests

    @property
    def stats(self) -> Stats:
        return self._journal.stats

    @property
    def connections(self) -> dict[str, Connection]:
        """The open WebSockets by id. Each has `drop(code=None)`."""
        return self._endpoint.connections

    def enqueue(self, *scripts: Script, warm_up: bool = False, compaction: bool = False) -> None:
        """Queue scripts for the next requests. They come before any directive.

        Warm-ups (`generate: false`) have a queue of their own, and so have compactions: of their scripts only
        waits, failures and faults are played, before the answer.
        """
        upstream = self._upstream
        queue = upstream.queued_warm_ups if warm_up else upstream.queued
        (upstream.queued_compactions if compaction else queue).extend(scripts)

    def open_gate(self, name: str) -> None:
        """Release every script that waits, or will wait, at this gate."""
        self._upstream.gates[name].set()

    def drop_all(self, code: int | None = None) -> None:
        """End all WebSockets: with a close frame of this code, or by a TCP reset."""
        for connection in list(self.connections.values()):
            connection.drop(code)

    def expire_all(self) -> None:
        """End all WebSockets as ones that have reached their age (`max_age_s`)."""
        for connection in list(self.connections.values()):
            connection.expire()

    async def wait_for(self, predicate: Callable[[], object], timeout: float = 5.0) -> None:
        """Return once the predicate (without arguments) holds. Raises TimeoutError."""
        await self._journal.wait_for(predicate, timeout)

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application(client_max_size=0)
        app.add_routes(
            [*self._endpoint.routes(), *Admin(self.settings, self._journal, self._upstream).routes()]
        )
        # Without handler_cancellation a handler would not notice that its HTTP client has left.
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S
        )
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self._host, self.port)
            await site.start()
        except BaseException:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and the port. Answers that still run are cancelled."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self.drop_all(GOING_AWAY)
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
