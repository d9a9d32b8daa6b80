"""Configure and run the gRPC server.

It never closes its port to refuse a call: a caller could not distinguish that from a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import grpc

from service.domain.errors import SettingsError
from service.gen.trunkline.v1 import completion_pb2, session_pb2
from service.rpc import health
from service.rpc.auth.callers import Callers
from service.rpc.auth.interceptor import Authentication
from service.rpc.auth.tls import server_credentials
from service.rpc.completion_service import CompletionService
from service.rpc.convert.responses import MAX_MESSAGE_BYTES
from service.rpc.health import HealthService
from service.rpc.methods import GenericHandler, RequestReader, admit_authenticated, generic_handler
from service.rpc.receiving import Receiver, slots_for
from service.rpc.reflection import ReflectionService
from service.rpc.session_service import SessionService
from service.rpc.settings import ServerSettings
from service.telemetry.rpc_interceptor import Observation
from service.telemetry.telemetry import OFF, Telemetry

if TYPE_CHECKING:
    from service.sessions.manager import Manager

COMPLETION = completion_pb2.DESCRIPTOR.services_by_name["CompletionService"]
SESSION = session_pb2.DESCRIPTOR.services_by_name["SessionService"]
SERVICES = (COMPLETION.full_name, SESSION.full_name)
METHODS = frozenset(
    f"/{service.full_name}/{method.name}" for service in (COMPLETION, SESSION) for method in service.methods
)
MEBIBYTE = 1024 * 1024
METADATA_BYTES = 16 * 1024
RECORDING_S = 1.0
"""How long a stopped server waits for the tasks of its calls, which end as soon as they are cancelled."""
STREAMS_BESIDES = 128
"""Streams of one connection that are no turns: health, sessions, and turns being refused."""


class Server:
    """The gRPC server with its services, interceptors and credentials."""

    def __init__(self, settings: ServerSettings, manager: Manager, telemetry: Telemetry = OFF) -> None:
        self._listen = settings.listen
        self._credentials = server_credentials(settings)
        self._callers = Callers(settings)
        self._health = HealthService(SERVICES, manager.refused_unread)
        self._observation = Observation(METHODS, telemetry)
        self._server = grpc.aio.server(
            interceptors=[self._observation, Authentication(self._callers)],
            options=list(options(settings).items()),
        )
        handlers = [*_ours(settings, manager), self._health.handler()]
        if settings.reflects:
            reflection = ReflectionService((*SERVICES, health.SERVICE.full_name), manager.refused_unread)
            handlers.extend(reflection.handlers())
        self._server.add_generic_rpc_handlers(tuple(handlers))

    async def start(self) -> str:
        """Listen and serve. Returns host and port; with port 0 it is the bound one. Raises SettingsError."""
        try:
            port = self._bind()
        except RuntimeError as error:
            problem = (
                f"TRUNKLINE_LISTEN cannot be served: {self._listen} is taken or not an address of this host"
            )
            raise SettingsError(problem) from error
        self._health.set_status(health.SERVING)
        await self._server.start()
        self._callers.start()
        return f"{self._listen.rpartition(':')[0]}:{port}"

    def _bind(self) -> int:
        if self._credentials is None:
            return self._server.add_insecure_port(self._listen)
        return self._server.add_secure_port(self._listen, self._credentials)

    def not_serving(self) -> None:
        """Report NOT_SERVING to load balancers. Calls are still accepted, and refused with a reason."""
        self._health.set_status(health.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Close the port, wait `grace_s` seconds for calls to end, and cancel the rest. All are recorded."""
        await self._server.stop(grace_s)
        await self._observation.ended(RECORDING_S)
        await self._callers.close()


def _ours(settings: ServerSettings, manager: Manager) -> Iterator[GenericHandler]:
    """Yield the methods of this service. A turn that no request could make valid is refused unread."""
    receiver = Receiver(
        slots_for(settings.max_request_bytes + MEBIBYTE),
        settings.receive_timeout_s,
        f"the request did not arrive within {settings.receive_timeout_s:g} s (TRUNKLINE_RECEIVE_TIMEOUT_S)",
        manager.refused_unread,
    )
    turns, sessions = (
        RequestReader(receiver, admit_authenticated(manager.check)),
        RequestReader(receiver, admit_authenticated(None)),
    )
    yield generic_handler(COMPLETION, CompletionService(manager, settings), turns)
    yield generic_handler(SESSION, SessionService(manager, settings), sessions)


def options(settings: ServerSettings) -> dict[str, int]:
    """Return the options of grpc core. It accepts any name, so a test compares these with the library's."""
    return {
        # By default two processes could share a port unnoticed.
        "grpc.so_reuseport": 0,
        # Above the bound of the service, whose error names the field.
        "grpc.max_receive_message_length": settings.max_request_bytes + MEBIBYTE,
        "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
        # The clients do not compress, and what is refused need not be decompressed: bit 0 is "identity".
        "grpc.compression_enabled_algorithms_bitset": 1,
        # Of what a connection has read, grpc may keep a buffer this large; the default is 4 MiB.
        "grpc.experimental.tcp_max_read_chunk_size": 256 * 1024,
        # The read buffer that grpc may keep for a connection; the default is 4 MiB.
        # A caller that vanished is detected within a minute …
        "grpc.keepalive_time_ms": 40_000,
        "grpc.keepalive_timeout_ms": 20_000,
        # … and one that pings more often than this more than twice is disconnected.
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_ping_interval_without_data_ms": 10_000,
        "grpc.http2.max_ping_strikes": 2,
        # More than may run and wait, so that one turn too many is refused with a reason and does not hang.
        "grpc.max_concurrent_streams": settings.max_turns + settings.queue_size + STREAMS_BESIDES,
        # Both are equal: between them grpc would refuse at random.
        "grpc.max_metadata_size": METADATA_BYTES,
        "grpc.absolute_max_metadata_size": METADATA_BYTES,
    }
