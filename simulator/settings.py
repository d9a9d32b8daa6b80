"""The simulator's settings, their defaults, and the checked change of some of them while it runs."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from simulator.scripts.steps import Dialect, Framing

HOUR_S = 3600.0
MIB = 1024 * 1024


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Mutable, so that a test can change the upstream's behaviour while clients are connected.

    Times are in seconds.
    """

    keys: tuple[str, ...] = ()
    """API keys that are accepted; empty accepts any."""
    key_header: Literal["authorization", "api-key"] = "authorization"
    """Where the key is: `Authorization: Bearer`, or a header of its own, as at Azure."""

    refuse_websocket: int | None = None
    """Answer WebSocket handshakes with this HTTP status."""
    refuse_times: int | None = None
    """How many handshakes to refuse before accepting again; None means all."""
    refuse_http: int | None = None
    """Answer POST with this status."""
    no_compaction: bool = False
    """Answer `POST /v1/responses/compact` as a server does that has no such endpoint."""
    retry_after: str | None = None
    """The `retry-after` header of refusals."""
    refuse_headers: dict[str, str] = {}
    """More headers of refusals, such as the `location` of a redirect."""
    hang_handshake: bool = False
    """Accept the TCP connection and never answer the handshake."""
    deaf: bool = False
    """Answer the handshake, then stop reading: what clients send fills the socket buffers."""

    max_age_s: float = HOUR_S
    """Age at which a WebSocket is closed with `websocket_connection_limit_reached`."""
    max_message_bytes: int = 16 * MIB
    """WebSocket messages of this size or more close the connection with 1009."""
    max_body_bytes: int = 64 * MIB
    """HTTP bodies above this get 413."""

    delta_size: int | None = None
    """Characters in a delta; None makes each word a delta."""
    delay_s: float = 0.0
    """Pause before each delta."""

    ignore_generate: bool = False
    """Generate despite `generate: false`, as servers do that do not know the field."""
    ignore_stream: bool = False
    """Answer a POST with the whole response as JSON despite `stream: true`."""
    dialect: Dialect = Dialect()
    """The dialect of scripts that name none."""
    framing: Framing = Framing()
    """The framing of server-sent events, for scripts that name none."""

    keep_requests: int = 1000
    keep_request_bytes: int = 64 * MIB
    """Bounds of `Simulator.requests`: the oldest go first."""
    keep_responses: int = 1000
    """Bound of the responses stored for `store: true`, and of the prompts cached by `prompt_cache_key`."""

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Change some settings: all of them, or none. Raises msgspec.ValidationError."""
        checked = msgspec.convert(changes, Settings)
        for name in changes:
            setattr(self, name, getattr(checked, name))
