"""The settings of a client: the options of its channel, and the metadata of a call.

The channel is opened by the client, since one for asyncio belongs to the loop in which it is opened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from trunkline._version import __version__
from trunkline.retry import Retry
from trunkline.targets import is_local
from trunkline.tls import TLS
from trunkline.tracing import trace_metadata

DEFAULT_ADDRESS = "127.0.0.1:50051"
KEEPALIVE_S = 30.0
KEEPALIVE_TIMEOUT_S = 10.0
RECONNECT_MS = (100, 2_000)
# The service takes requests of 32 MiB at most; an answer may echo images.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024

Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    address: str = DEFAULT_ADDRESS
    token: str | Callable[[], str] | None = field(default=None, repr=False)
    tls: bool | TLS | grpc.ChannelCredentials = False
    timeout: float | None = None
    retry: Retry = field(default_factory=Retry)
    keepalive: float | None = KEEPALIVE_S
    max_message_bytes: int = MAX_MESSAGE_BYTES
    channel_options: Sequence[tuple[str, Any]] = ()

    def credentials(self) -> grpc.ChannelCredentials | None:
        """None: plain text."""
        if isinstance(self.tls, TLS):
            return self.tls.credentials()
        if isinstance(self.tls, bool):
            return grpc.ssl_channel_credentials() if self.tls else None
        return self.tls

    def options(self) -> list[tuple[str, Any]]:
        """The caller's own win over ours."""
        options: dict[str, Any] = {
            "grpc.primary_user_agent": f"trunkline-python/{__version__}",
            "grpc.max_send_message_length": self.max_message_bytes,
            "grpc.max_receive_message_length": self.max_message_bytes,
            # By itself grpc pauses for a second after one refused connection, and for minutes after many.
            "grpc.initial_reconnect_backoff_ms": RECONNECT_MS[0],
            "grpc.max_reconnect_backoff_ms": RECONNECT_MS[1],
            # A retry policy found in DNS would repeat what must not be repeated.
            "grpc.service_config_disable_resolution": 1,
        }
        if is_local(self.address):
            options["grpc.enable_http_proxy"] = 0
        if self.keepalive is not None:
            options["grpc.keepalive_time_ms"] = int(self.keepalive * 1000)
            options["grpc.keepalive_timeout_ms"] = int(KEEPALIVE_TIMEOUT_S * 1000)
        return list((options | dict(self.channel_options)).items())

    def metadata(self, session_id: str = "") -> Metadata:
        """Made again for each attempt: a token may have been renewed since."""
        metadata = trace_metadata()
        token = self.token() if callable(self.token) else self.token
        if token:
            metadata.append(("authorization", f"Bearer {token}"))
        if session_id and session_id.isascii() and session_id.isprintable():
            # For the load balancer. grpc would fail on a bad id; the service names the field.
            metadata.append(("x-session-id", session_id))
        return tuple(metadata)
