"""The settings that sessions need: `SessionSettings`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How much may run at once, and for how long. `cooldown_given`: the operator has set the cooldown.

    `http_url`: the upstream, to which tokens are bound.
    """

    replay: Literal["once", "safe-only"]
    chain_basis: Literal["minimal", "strict"]
    effort_updates: tuple[str, ...]
    continuation_key: tuple[bytes, ...] = field(repr=False)
    continuation_key_file: str
    http_url: str
    connect_timeout_s: float
    turn_timeout_s: float
    cooldown_s: float
    cooldown_given: bool
    session_ttl_s: float
    max_request_bytes: int
    max_request_bytes_in_flight: int
    max_kept_bytes: int
    max_kept_bytes_per_turn: int
    max_sessions: int
    max_turns: int
    queue_size: int
    max_connections: int
    max_dials: int
    warm_spares: int
