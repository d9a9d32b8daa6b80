"""The settings that sessions need: `SessionSettings`, and `EndpointSettings` for each upstream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from service.domain.report import UpstreamReason
from service.domain.routes import Routes
from service.transport.settings import UpstreamSettings


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How much may run at once, and for how long, whichever upstream it is for."""

    connect_timeout_s: float
    turn_timeout_s: float
    session_ttl_s: float
    max_request_bytes: int
    max_request_bytes_in_flight: int
    max_kept_bytes: int
    max_kept_bytes_per_turn: int
    max_sessions: int
    max_turns: int
    queue_size: int
    max_dials: int


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """How the turns of one upstream run.

    `name`: what the upstreams file calls it; empty without that file. Its tokens are bound to `http_url`.
    `cooldown_given`: the operator has set the cooldown. `failover`: what leads to another upstream.
    """

    name: str
    http_url: str
    replay: Literal["once", "safe-only"]
    transport: Literal["auto", "websocket", "sse"]
    chaining: Literal["auto", "off"]
    chain_basis: Literal["minimal", "strict"]
    effort_updates: tuple[str, ...]
    continuation_key: tuple[bytes, ...] = field(repr=False)
    continuation_key_file: str
    cooldown_s: float
    cooldown_given: bool
    max_connections: int
    max_dials: int
    warm_spares: int
    failover: frozenset[UpstreamReason]


@dataclass(frozen=True, slots=True)
class Layout:
    """The upstreams, each with what transport needs of it, and which of them serves what."""

    endpoints: tuple[tuple[EndpointSettings, UpstreamSettings], ...]
    routes: Routes
