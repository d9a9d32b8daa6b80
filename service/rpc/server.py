"""The gRPC server: what listens, and what it serves.

Owns the port, the server's options, health and reflection. Must never close the port to refuse a call:
callers could not tell that from a crash.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from service.config import Settings, SettingsError
from service.gen.trunkline.v1 import completion_pb2, session_pb2
from service.rpc.auth import Callers
from service.rpc.completion import CompletionService
from service.rpc.interceptors import Authentication
from service.rpc.methods import serve
from service.rpc.sessions import SessionService
from service.rpc.tls import server_credentials
from service.telemetry.interceptor import Observation

if TYPE_CHECKING:
    from service.manager.manager import Manager

SERVICES = (
    completion_pb2.DESCRIPTOR.services_by_name["CompletionService"].full_name,
    session_pb2.DESCRIPTOR.services_by_name["SessionService"].full_name,
)
METHODS = frozenset(
    f"/{service.full_name}/{method.name}"
    for module in (completion_pb2, session_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
)
MEBIBYTE = 1024 * 1024
METADATA_BYTES = 16 * 1024
STREAMS_BESIDES = 128
"""On one connection: health, sessions, and turns that are being refused."""


class Server:
    def __init__(self, settings: Settings, manager: Manager) -> None:
        self._listen = settings.listen
        self._credentials = server_credentials(settings)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing in its stubs
        self._server = grpc.aio.server(
            interceptors=[Observation(METHODS), Authentication(Callers(settings))],
            options=_options(settings),
        )
        serve(
            self._server,
            CompletionService(manager, settings),
            completion_pb2.DESCRIPTOR.services_by_name["CompletionService"],
        )
        serve(
            self._server,
            SessionService(manager, settings),
            session_pb2.DESCRIPTOR.services_by_name["SessionService"],
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    async def start(self) -> str:
        """Listens and serves. Returns host and port: the bound one, where the setting left it open."""
        try:
            port = self._bind()
        except RuntimeError as error:
            problem = (
                f"TRUNKLINE_LISTEN cannot be served: {self._listen} is taken or not an address of this host"
            )
            raise SettingsError(problem) from error
        for service in SERVICES:
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return f"{self._listen.rpartition(':')[0]}:{port}"

    def _bind(self) -> int:
        if self._credentials is None:
            return self._server.add_insecure_port(self._listen)
        return self._server.add_secure_port(self._listen, self._credentials)

    async def not_serving(self) -> None:
        """Tells load balancers to go elsewhere. Calls still get in, to be refused by name."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_s: float) -> None:
        """Closes the port, waits that long for calls to take their ending, and cancels the rest."""
        await self._server.stop(grace_s)


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        # The default lets two services share a port without a word.
        ("grpc.so_reuseport", 0),
        # Above our own bound, which names the field.
        ("grpc.max_receive_message_length", settings.max_request_bytes + MEBIBYTE),
        ("grpc.max_send_message_length", 64 * MEBIBYTE),
        # No client of ours compresses, and what is not taken need not be unpacked: bit 0 is "identity".
        ("grpc.compression_enabled_algorithms_bitset", 1),
        # A caller that vanished without a word is found within a minute …
        ("grpc.keepalive_time_ms", 40_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # … and one that pings more than this, more than twice, is sent away.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        # Over all that may run and wait: so that a turn too many is refused by name, and does not hang.
        ("grpc.max_concurrent_streams", settings.max_turns + settings.queue_size + STREAMS_BESIDES),
        # Both, or grpc refuses what lies between them by chance.
        ("grpc.max_metadata_size", METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    ]
