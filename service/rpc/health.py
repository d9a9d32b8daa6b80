"""Answer health checks: `grpc.health.v1.Health`, for anybody.

Each watcher is a task of its own and holds no lock, so one that does not read, or leaves, is nobody else's
concern. It is told the newest status: what changed and changed back while it did not read is not told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import grpc
from grpc_health.v1 import health_pb2 as pb

from service.rpc.failure import Context
from service.rpc.methods import GenericHandler, Intake, anybody, generic_handler
from service.rpc.receiving import Places, Receiver

SERVICE = pb.DESCRIPTOR.services_by_name["Health"]
MAX_REQUEST_BYTES = 1024
"""A request is the name of a service."""
MAX_WATCHERS = 1000
SLOW_PLACES = 2
SLOW_S = 1.0
LATE = f"the request did not arrive within {SLOW_S:g} s"
"""For a check that meets a busy machine. Each place may hold what a stranger sends: 33 MiB by default."""

SERVING = pb.HealthCheckResponse.SERVING
NOT_SERVING = pb.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = pb.HealthCheckResponse.SERVICE_UNKNOWN


class HealthService:
    """The status of each service, and of the whole by the name ""."""

    def __init__(self, services: Iterable[str]) -> None:
        self._statuses = dict.fromkeys(("", *services), NOT_SERVING)
        self._changed = asyncio.Event()
        self._watchers = 0

    def __repr__(self) -> str:
        return f"HealthService({self._statuses}, {self._watchers} watchers)"

    def handler(self) -> GenericHandler:
        """The methods as the server takes them."""
        intake = Intake(Receiver(Places(SLOW_PLACES), SLOW_S, LATE), anybody, MAX_REQUEST_BYTES)
        return generic_handler(SERVICE, self, intake)

    def tell(self, status: pb.HealthCheckResponse.ServingStatus) -> None:
        """Set the status of all services. Watchers are notified, and nobody waits for them."""
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
        """Runs until it is cancelled."""
        told: int | None = None
        while True:
            changed = self._changed
            status = self._statuses.get(service, SERVICE_UNKNOWN)
            if status != told:
                await context.write(pb.HealthCheckResponse(status=status))
                told = status
            await changed.wait()

    async def List(self, request: pb.HealthListRequest, context: Context) -> pb.HealthListResponse:  # noqa: N802  the contract's
        statuses = {name: pb.HealthCheckResponse(status=status) for name, status in self._statuses.items()}
        return pb.HealthListResponse(statuses=statuses)
