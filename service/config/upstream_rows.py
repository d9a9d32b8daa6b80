"""Declare the settings of an upstream: `UpstreamRows`, which `Settings` extends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.config import parsers
from service.config.rows import count, seconds, setting
from service.domain.key_source import KeySource
from service.domain.proxy import DIRECT, ProxyRoute
from service.domain.report import UpstreamReason
from service.domain.tenant import parse_key


@dataclass(frozen=True, slots=True)
class UpstreamRows:
    """Where an upstream is, how it is reached, and the waits and bounds that hold there.

    `given`: the fields that the environment sets. `route`: as its proxy variables say. `name`, `own_keys` and
    `failover` are set for an upstream of the upstreams file only.
    """

    upstream_url: str = setting(
        parsers.url, "https://api.openai.com/v1", "The upstream, without `/responses`; it may have a query."
    )
    upstreams_file: str = setting(
        str, "", "Several upstreams and what each serves, in place of the one above; reloaded.", "path"
    )
    openai_api_key: str = setting(
        parse_key,
        "",
        "The upstream's key. An https upstream needs one.",
        name="OPENAI_API_KEY",
        secret=True,
    )
    upstream_key_file: str = setting(
        str, "", "A file that holds the upstream's key instead; reloaded.", "path"
    )
    upstream_key_header: str = setting(
        parsers.key_header,
        "bearer",
        "How the key is sent: `bearer` (`Authorization`), or the name of a header, like `api-key`.",
        own=True,
    )
    upstream_headers: tuple[tuple[str, str], ...] = setting(
        parsers.headers,
        "",
        "Sent with each request and handshake: `Name=value,…`, like `OpenAI-Organization=org_1`.",
        secret=True,
    )
    caller_keys: bool = setting(
        parsers.flag, "0", "1: a caller may bring the upstream's key, in the metadata `x-upstream-key`."
    )
    cache_key: Literal["session", "off"] = setting(
        parsers.cache_key,
        "session",
        "The `prompt_cache_key` if a caller sets none: `session`, a digest of tenant and session; or `off`.",
        own=True,
    )
    upstream_ca: str = setting(
        str,
        "",
        "Authorities to trust besides the system's, for the upstream and its proxy; PEM.",
        "path",
        own=True,
    )
    tls_relaxed: bool = setting(
        parsers.flag,
        "0",
        "1: take certificates of the upstream that Python 3.13 refuses for their form.",
        own=True,
    )
    item_ids: Literal["auto", "never"] = setting(
        parsers.item_ids,
        "auto",
        "`never`: items go without their ids, also where responses are stored. `auto`: there with them.",
        own=True,
    )
    thoughts: Literal["paired", "all"] = setting(
        parsers.thoughts,
        "paired",
        "Which reasoning goes back: `paired`, with what followed it; or `all`, for upstreams that want it.",
        own=True,
    )
    transport: Literal["auto", "websocket", "sse"] = setting(
        parsers.transport,
        "auto",
        "What turns may take: `auto`, both, or only `websocket` or `sse`, whatever they ask for.",
        own=True,
    )
    chaining: Literal["auto", "off"] = setting(
        parsers.chaining,
        "auto",
        "`off`: each request holds the whole conversation. `auto`: only what is new, where that works.",
        own=True,
    )
    chain_basis: Literal["minimal", "strict"] = setting(
        parsers.chain_basis,
        "minimal",
        "What ends a chain: `minimal`, or `strict` for upstreams that compare all settings of a request.",
        own=True,
    )
    effort_updates: tuple[str, ...] = setting(
        parsers.models,
        "",
        "Models that take a change of effort as an item: names, or prefixes with *, separated by commas.",
        own=True,
    )
    connect_timeout_s: float = seconds("8", "Opening a line to the upstream.", own=True)
    send_timeout_s: float = seconds("10", "Writing a request.", own=True)
    first_event_timeout_s: float = seconds("30", "From the request to the upstream's first event.", own=True)
    first_event_limit_s: float = seconds(
        "300", "The same, while bytes arrive that are no event: comments, pings, unknown words.", own=True
    )
    idle_timeout_s: float = seconds("120", "Between two events of a turn.", own=True)
    cooldown_s: float = seconds(
        "60",
        "Turns go by SSE this long when no WebSocket opens; doubles up to 10 times this.",
        zero=True,
        own=True,
    )
    max_age_s: float = seconds(
        "3300", "A line that is older is replaced; the upstream ends it at 3600.", own=True
    )
    ping_interval_s: float = seconds("20", "A silent line is pinged this often.", own=True)
    ping_timeout_s: float = seconds("20", "A line that answers no ping this long is dead.", own=True)
    max_frame_bytes: int = count("15728640", "A larger request goes by SSE.", "bytes", own=True)
    max_connections: int = count("1000", "WebSockets to the upstream.", own=True)
    max_dials: int = count("64", "WebSockets being opened at once.", own=True)
    warm_spares: int = count("0", "WebSockets that are open before anyone asks.", zero=True, own=True)
    given: frozenset[str] = frozenset()
    route: ProxyRoute = DIRECT
    name: str = ""
    own_keys: tuple[KeySource, ...] = ()
    failover: frozenset[UpstreamReason] = frozenset()

    @property
    def cooldown_given(self) -> bool:
        """Whether the environment sets the cooldown."""
        return "cooldown_s" in self.given

    @property
    def keys(self) -> tuple[KeySource, ...]:
        return self.own_keys or (KeySource(self.openai_api_key, self.upstream_key_file),)

    @property
    def http_url(self) -> str:
        return self._address("/responses")

    @property
    def compact_url(self) -> str:
        return self._address("/responses/compact")

    @property
    def ws_url(self) -> str:
        return f"ws{self.http_url.removeprefix('http')}"

    def _address(self, path: str) -> str:
        base, question_mark, query = self.upstream_url.partition("?")
        return f"{base}{path}{question_mark}{query}"
