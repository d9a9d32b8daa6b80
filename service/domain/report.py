"""What the service reports about a turn (`TurnReport`) and about a session (`SessionView`).

Messages, spans and metrics are made of these elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from service.domain.messages import Transport
from service.domain.plan import ContextReason

DEFAULT_PORTS = {"http": 80, "https": 443}

FIELD = "field:"
"""What a field that was not understood is counted as in `ignored_events`, followed by its name."""


class TransportReason(Enum):
    """Why a turn took its transport. The values are part of the contract (`TurnReport.transport_reason`)."""

    REQUESTED = "requested"
    PREFERRED = "preferred"
    CONFIGURED = "configured"
    TOO_BIG = "too_big"
    POOL_FULL = "pool_full"
    CONNECT_FAILED = "connect_failed"
    UPGRADE_REFUSED = "upgrade_refused"
    COOLDOWN = "cooldown"
    MODEL_COOLDOWN = "model_cooldown"
    CONNECTION_LOST = "connection_lost"
    TIMEOUT = "timeout"
    UPSTREAM_ERROR = "upstream_error"
    PROTOCOL_ERROR = "protocol_error"


class UpstreamReason(Enum):
    """Why a turn went to its upstream and to no other of its route. The values are part of the contract
    (`TurnReport.upstream_reason`).
    """

    PREFERRED = "preferred"
    SESSION = "session"
    COOLDOWN = "cooldown"
    CONNECT_FAILED = "connect_failed"
    UPSTREAM_AUTH = "upstream_auth"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    UPSTREAM_ERROR = "upstream_error"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. `first_event`, `first_content` and `total` count from the start of the turn; None: it did
    not happen.
    """

    queue: float = 0.0
    connect: float = 0.0
    first_event: float | None = None
    first_content: float | None = None
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Peer:
    """An upstream, as reports and spans show it. `name`: empty where only one is configured, without one.

    `transport`: the only one that turns take there; AUTO: both.
    """

    name: str = ""
    host: str = ""
    port: int = 0
    transport: Transport = Transport.AUTO

    @classmethod
    def at(cls, name: str, url: str, transport: Transport = Transport.AUTO) -> Peer:
        """Return the upstream of this name, at an http or https URL."""
        parts = urlsplit(url)
        return cls(name, parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme], transport)

    def allows(self, wish: Transport) -> bool:
        """Return whether a turn with this wish may go there."""
        return Transport.AUTO in (wish, self.transport) or wish is self.transport


NOBODY = Peer()
"""Of a turn that has no upstream yet."""


@dataclass(frozen=True, slots=True)
class TurnReport:
    """How a turn ran. `context_reason` is None and `attempts` 0 while nothing was sent.

    `ignored_events` are what the upstream sent and nobody understood: type and count. `attached`: the call
    that gets the report did not start the turn. `upstream`: the one that was asked last;
    `upstream_reason`: why that, None where it is the only one.
    """

    turn_id: str
    transport: Transport
    transport_reason: TransportReason
    response_id: str = ""
    incremental: bool = False
    context_reason: ContextReason | None = None
    attempts: int = 0
    connection_reused: bool = False
    timings: Timings = Timings()
    bytes_sent: int = 0
    bytes_saved: int = 0
    ignored_events: tuple[tuple[str, int], ...] = ()
    attached: bool = False
    upstream: Peer = NOBODY
    upstream_reason: UpstreamReason | None = None


class LineState(Enum):
    NONE = "none"
    DIALING = "dialing"
    IDLE = "idle"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class TurnView:
    """A turn as its owner may see it: it runs, or `ended` and is kept. `started_at`: seconds of the epoch.

    `turn_id` is empty while it waits for a place. `attached`: a caller reads it.
    """

    turn_id: str
    turn_key: str
    started_at: float
    attached: bool
    ended: bool
    last_sequence: int


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its owner may see it. Times are seconds of the epoch."""

    session_id: str
    line_state: LineState
    turns: int
    incremental_turns: int
    bytes_saved: int
    created_at: float
    last_used_at: float
    running_turns: tuple[TurnView, ...] = ()

    @property
    def live(self) -> bool:
        return self.line_state in (LineState.IDLE, LineState.BUSY)
