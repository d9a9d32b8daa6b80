"""The settings that transport needs: `UpstreamSettings`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from service.domain.key_source import KeySource
from service.domain.proxy import ProxyRoute


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """Where the upstream is, its keys, and the bounds of a line and a request.

    `name`: what the upstreams file calls it; empty without that file. `route`: direct or by proxy. `keys`: at
    least one. `upstream_key_header`: "bearer", or the name of the header that holds the key.
    `upstream_headers`: sent besides, in pairs of name and value. `splits_frames`: split plain frames without
    the library's parser (`frames.py`).
    """

    name: str
    http_url: str
    compact_url: str
    ws_url: str
    route: ProxyRoute
    keys: tuple[KeySource, ...]
    upstream_key_header: str
    upstream_headers: tuple[tuple[str, str], ...] = field(repr=False)
    caller_keys: bool
    cache_key: Literal["session", "off"]
    item_ids: Literal["auto", "never"]
    thoughts: Literal["paired", "all"]
    upstream_ca: str
    tls_relaxed: bool
    connect_timeout_s: float
    send_timeout_s: float
    first_event_timeout_s: float
    first_event_limit_s: float
    idle_timeout_s: float
    max_age_s: float
    ping_interval_s: float
    ping_timeout_s: float
    max_frame_bytes: int
    max_request_bytes: int
    splits_frames: bool
