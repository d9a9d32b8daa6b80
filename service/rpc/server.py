"""The gRPC server: what listens, and what it serves.

Owns the port and the server's options. Must never close the port to refuse a call: callers could not tell
that from a crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import grpc

from service.config.settings import Settings, SettingsError
from service.gen.trunkline.v1 import completion_pb2, session_pb2
from service.rpc import health
from service.rpc.auth.callers import Callers
from service.rpc.auth.interceptor import Authentication
from service.rpc.auth.tls import server_credentials
from service.rpc.completion_service import CompletionService
from service.rpc.health import HealthService
from service.rpc.methods import GenericHandler, Intake, admitting, generic_handler
from service.rpc.receiving import Receiver, places_for
from service.rpc.reflection import ReflectionService
from service.rpc.session_service import SessionService
from service.telemetry.rpc_interceptor import Observation

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
STREAMS_BESIDES = 128
"""On one connection: health, sessions, and turns that are being refused."""


class Server:
    def __init__(self, settings: Settings, manager: Manager) -> None:
        self._listen = settings.listen
        self._credentials = server_credentials(settings)
        self._health = HealthService(SERVICES)
        self._server = grpc.aio.server(
            interceptors=[Observation(METHODS), Authentication(Callers(settings))],
            options=list(options(settings).items()),
        )
        handlers = [*_ours(settings, manager), self._health.handler()]
        if settings.reflects:
            handlers.append(ReflectionService((*SERVICES, health.SERVICE.full_name)).handler())
        self._server.add_generic_rpc_handlers(tuple(handlers))

    async def start(self) -> str:
        """Listens and serves. Returns host and port: the bound one, where the setting left it open."""
        try:
            port = self._bind()
        except RuntimeError as error:
            problem = (
                f"TRUNKLINE_LISTEN cannot be served: {self._listen} is taken or not an address of this host"
            )
            raise SettingsError(problem) from error
        self._health.tell(health.SERVING)
        await self._server.start()
        return f"{self._listen.rpartition(':')[0]}:{port}"

    def _bind(self) -> int:
        if self._credentials is None:
            return self._server.add_insecure_port(self._listen)
        return self._server.add_secure_port(self._listen, self._credentials)

    def not_serving(self) -> None:
        """Report NOT_SERVING to load balancers. Calls still get in, to be refused by name."""
        self._health.tell(health.NOT_SERVING)

    async def stop(self, grace_s: float) -> None:
        """Closes the port, waits that long for calls to take their ending, and cancels the rest."""
        await self._server.stop(grace_s)


def _ours(settings: Settings, manager: Manager) -> Iterator[GenericHandler]:
    """Our own methods. A turn that is refused whatever it says is refused before it is received."""
    receiver = Receiver(
        places_for(settings.max_request_bytes + MEBIBYTE),
        settings.receive_timeout_s,
        f"the request did not arrive within {settings.receive_timeout_s:g} s (TRUNKLINE_RECEIVE_TIMEOUT_S)",
    )
    turns, sessions = Intake(receiver, admitting(manager.check)), Intake(receiver, admitting(None))
    yield generic_handler(COMPLETION, CompletionService(manager, settings), turns)
    yield generic_handler(SESSION, SessionService(manager, settings), sessions)


def options(settings: Settings) -> dict[str, int]:
    """What grpc core is told. It takes any name, so a test compares these with the library's own."""
    return {
        # The default lets two services share a port without a word.
        "grpc.so_reuseport": 0,
        # Above our own bound, which names the field.
        "grpc.max_receive_message_length": settings.max_request_bytes + MEBIBYTE,
        "grpc.max_send_message_length": 64 * MEBIBYTE,
        # No client of ours compresses, and what is not taken need not be unpacked: bit 0 is "identity".
        "grpc.compression_enabled_algorithms_bitset": 1,
        # Of what a connection has read, grpc may keep a buffer this large; the default is 4 MiB.
        "grpc.experimental.tcp_max_read_chunk_size": 256 * 1024,
        # A caller that vanished without a word is found within a minute …
        "grpc.keepalive_time_ms": 40_000,
        "grpc.keepalive_timeout_ms": 20_000,
        # … and one that pings more than this, more than twice, is sent away.
        "grpc.keepalive_permit_without_calls": 1,
        "grpc.http2.min_ping_interval_without_data_ms": 10_000,
        "grpc.http2.max_ping_strikes": 2,
        # Over all that may run and wait: so that a turn too many is refused by name, and does not hang.
        "grpc.max_concurrent_streams": settings.max_turns + settings.queue_size + STREAMS_BESIDES,
        # Both, or grpc refuses what lies between them by chance.
        "grpc.max_metadata_size": METADATA_BYTES,
        "grpc.absolute_max_metadata_size": METADATA_BYTES,
    }
