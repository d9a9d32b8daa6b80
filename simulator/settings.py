"""What can be set about a simulator, before it starts and while it runs.

Owns the settings, their defaults and the checked merge of a partial change. It must never hold state that
requests change.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from simulator.scripts.steps import Dialect, Framing

HOUR_S = 3600.0
MIB = 1024 * 1024


class Settings(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Mutable on purpose, so that a test can change the weather while clients are connected.

    Times are in seconds.
    """

    keys: tuple[str, ...] = ()
    """API keys that are accepted; none listed means any."""

    refuse_websocket: int | None = None
    """Answer WebSocket handshakes with this HTTP status."""
    refuse_times: int | None = None
    """How many handshakes to refuse before accepting again; None means all."""
    refuse_http: int | None = None
    """Answer POST with this status."""
    retry_after: str | None = None
    """Sent with what is refused."""
    refuse_headers: dict[str, str] = {}
    """Sent with what is refused, such as the `location` of a redirect."""
    hang_handshake: bool = False
    """Accept the TCP connection and never answer the handshake."""
    deaf: bool = False
    """Answer the handshake, then stop reading: what clients send piles up in the network."""

    max_age_s: float = HOUR_S
    """Age at which a WebSocket is told to go."""
    max_message_bytes: int = 16 * MIB
    """WebSocket messages of this size or more close the connection with 1009."""
    max_body_bytes: int = 64 * MIB
    """HTTP bodies above this get 413."""

    delta_size: int | None = None
    """Characters in a delta; None cuts at words."""
    delay_s: float = 0.0
    """Pause before each delta."""

    ignore_generate: bool = False
    """Generate although `generate: false` was asked, as servers do that do not know the field."""
    dialect: Dialect = Dialect()
    """Spoken where a script names none."""
    framing: Framing = Framing()
    """Of server-sent events, where a script names none."""

    keep_requests: int = 1000
    keep_request_bytes: int = 64 * MIB
    """Bounds of `Simulator.requests`: the oldest go first."""
    keep_responses: int = 1000
    """Bound of the responses stored for `store: true`."""

    def merge(self, changes: Mapping[str, Any]) -> None:
        """Change some settings, all of them or none. Raises `msgspec.ValidationError`."""
        checked = msgspec.convert(changes, Settings)
        for name in changes:
            setattr(self, name, getattr(checked, name))
