"""Name what can follow from a reason: `Policy`, one row of `failure_policy.POLICIES`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from service.domain.reasons import Fault, Reason
from service.domain.report import TransportReason, UpstreamReason


class Route(Enum):
    """Where a turn goes next."""

    SAME_CONNECTION = "same_connection"
    NEW_CONNECTION = "new_connection"
    SSE = "sse"
    NEXT_UPSTREAM = "next_upstream"


class Cause(Enum):
    """Why a turn is sent again. Each counts once a turn."""

    CHAIN_LOST = "chain_lost"
    CONNECTION_EXPIRED = "connection_expired"
    TOO_BIG = "too_big"
    ENCRYPTED_CONTENT = "encrypted_content"
    LOSS = "loss"

    @property
    def proves_nothing_ran(self) -> bool:
        return self is not Cause.LOSS


@dataclass(frozen=True, slots=True)
class Policy:
    """What follows from one reason. The sentences are for docs/errors.md."""

    fault: Fault
    meaning: str
    caller: str
    """What the caller does."""
    retryable: bool = False
    """The caller may try again, unless the upstream's own code says otherwise."""
    operator: str = ""
    """What the operator looks at."""
    public: Reason | None = None
    """The reason that the caller gets instead; None: this one. For what concerns only us and the upstream."""
    replay: Cause | None = None
    """Why the turn may be sent again after a dispatch; None: it may not."""
    route: Route | None = None
    """Where a turn goes that failed over a WebSocket after a dispatch."""
    route_if_silent: Route | None = None
    """Where it goes instead if the connection never received anything: so ends a WebSocket that a gateway
    accepts and cannot serve, and a new one would end alike.
    """
    repeat_once: bool = False
    """One replay is worth it, though the caller need not try again: another transport may not garble."""
    every_connection_refuses: bool = False
    """No other WebSocket would take the request either: only SSE is left."""
    sse_if_unsent: bool = False
    """No WebSocket could be written to, but SSE may work."""
    connection_reusable: bool = False
    """The upstream refused in good order, so the connection may carry the next turn."""
    implies_nothing_sent: bool = False
    """Callers conclude that nothing ran: never reported of a turn that was dispatched before."""
    counts_as_silent: bool = False
    """On a connection that never received anything, it is evidence against the endpoint. Size (1009) is not:
    it judges what was sent.
    """
    elsewhere: UpstreamReason | None = None
    """The report's `upstream_reason` of a turn that went on to another upstream after this; None: none does.
    Where nothing is replayed here, the upstream has refused the request as a whole, and ran nothing.
    """
    sse_reason: TransportReason | None = None
    """The report's `transport_reason` of a turn that went on by SSE. A connection that could not be opened
    brings its own, with `NoConnectionError`.
    """
