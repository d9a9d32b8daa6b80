"""Answer health checks: `grpc.health.v1.Health`, without authentication.

Each watcher is a task of its own and holds no lock, so one that does not read, or leaves, affects no other. A
watcher gets the latest status; one that changed and changed back while it did not read is not sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import grpc
from grpc_health.v1 import health_pb2 as pb

from service.rpc.failure import Context
from service.rpc.methods import GenericHandler, RequestReader, admit_anyone, generic_handler
from service.rpc.receiving import Receiver, Slots

SERVICE = pb.DESCRIPTOR.services_by_name["Health"]
MAX_REQUEST_BYTES = 1024
"""A request holds the name of a service."""
MAX_WATCHERS = 1000
SLOW_SLOTS = 2
SLOW_S = 1.0
"""For a check on a busy machine. A slot may hold what any peer sends: 33 MiB by default."""
LATE = f"the request did not arrive within {SLOW_S:g} s"

SERVING = pb.HealthCheckResponse.SERVING
NOT_SERVING = pb.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = pb.HealthCheckResponse.SERVICE_UNKNOWN


class HealthService:
    """The status of each service; the empty name stands for the whole server."""

    def __init__(self, services: Iterable[str], on_refused: Callable[[], object] = bool) -> None:
        self._statuses = dict.fromkeys(("", *services), NOT_SERVING)
        self._changed = asyncio.Event()
        self._on_refused = on_refused
        self._watchers = 0

    def __repr__(self) -> str:
        return f"HealthService({self._statuses}, {self._watchers} watchers)"

    def handler(self) -> GenericHandler:
        """Return the methods for the server."""
        reader = RequestReader(
            Receiver(Slots(SLOW_SLOTS), SLOW_S, LATE, self._on_refused), admit_anyone, MAX_REQUEST_BYTES
        )
        return generic_handler(SERVICE, self, reader)

    def set_status(self, status: pb.HealthCheckResponse.ServingStatus) -> None:
        """Set the status of all services and notify watchers without waiting for them."""
        self._statuses = dict.fromkeys(self._statuses, status)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: pb.HealthCheckRequest, context: Context) -> pb.HealthCheckResponse:  # noqa: N802
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return pb.HealthCheckResponse(status=status)

    async def Watch(self, request: pb.HealthCheckRequest, context: Context) -> None:  # noqa: N802
        if self._watchers >= MAX_WATCHERS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"at most {MAX_WATCHERS} watch at once")
        self._watchers += 1
        try:
            await self._watch(request.service, context)
        finally:
            self._watchers -= 1

    async def _watch(self, service: str, context: Context) -> None:
        """Send each new status. Runs until it is cancelled."""
        sent: int | None = None
        while True:
            changed = self._changed
            status = self._statuses.get(service, SERVICE_UNKNOWN)
            if status != sent:
                await context.write(pb.HealthCheckResponse(status=status))
                sent = status
            await changed.wait()

    async def List(self, request: pb.HealthListRequest, context: Context) -> pb.HealthListResponse:  # noqa: N802  the contract's
        statuses = {name: pb.HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        return pb.HealthListResponse(statuses=statuses)
