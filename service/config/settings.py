"""Read the settings from the environment into one frozen `Settings`.

One field of `Settings` is one row of docs/settings.md. Every error names the variable and says what to do;
none shows a secret.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from service.config import parsers, proxies
from service.config.contradictions import contradictions, is_loopback
from service.config.rows import count, rate, seconds, setting
from service.config.upstream_rows import UpstreamRows
from service.domain.continuation import parse_continuation_keys
from service.domain.errors import SettingsError
from service.domain.proxy import DIRECT, ProxyRoute
from service.domain.tenant import Rates

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Part = TypeVar("_Part", bound="DataclassInstance")

PREFIX = "TRUNKLINE_"


@dataclass(frozen=True, slots=True)
class Settings(UpstreamRows):
    """All settings."""

    listen: str = setting(parsers.address, "127.0.0.1:50051", "Where gRPC is served.", "host:port")
    replay: Literal["once", "safe-only"] = setting(
        parsers.replay,
        "once",
        "Whether a turn lost before content is sent again: `once`, or `safe-only` if it cannot have run.",
    )
    continuation_key: tuple[bytes, ...] = setting(
        parse_continuation_keys,
        "",
        "Seals the tokens that continue a conversation; base64 of 32 bytes, on all replicas the same.",
        secret=True,
    )
    continuation_key_file: str = setting(
        str, "", "A file that holds the key of these tokens instead; reloaded.", "path"
    )
    receive_timeout_s: float = seconds("30", "Receiving a caller's request that is slow to arrive.")
    turn_timeout_s: float = seconds("1800", "A whole turn.")
    session_ttl_s: float = seconds("300", "A session unused this long is forgotten, its line closed.")
    max_request_bytes: int = count("33554432", "A larger call is refused.", "bytes")
    max_request_bytes_in_flight: int = count(
        "100663296", "Of large calls together, while they run; over it: OVERLOADED.", "bytes"
    )
    max_linger_s: float = seconds("300", "The longest `linger` that a turn with a key may ask for.")
    max_kept_bytes: int = count("67108864", "Of the events that turns with a key keep.", "bytes")
    max_kept_bytes_per_turn: int = count("8388608", "The same, of one turn.", "bytes")
    max_messages: int = count("10000", "A conversation of more messages is refused.")
    max_sessions: int = count("10000", "Sessions remembered for each tenant.")
    max_turns: int = count("1000", "Turns at once; over it: OVERLOADED.")
    queue_size: int = count("0", "Turns that wait for a place before that.", zero=True)
    requests_per_minute: int | None = rate(
        "Turns, warm-ups and compactions of each tenant; over it: RATE_LIMITED."
    )
    tokens_per_minute: int | None = rate("Tokens that each tenant uses, as the upstream reports them.")
    tokens_per_day: int | None = rate("The same, in a day.")
    drain_grace_s: float = seconds("30", "What running turns have left after SIGTERM.", zero=True)
    drain_notice_s: float = seconds(
        "0", "How long new turns are refused before the port closes: until load balancers know.", zero=True
    )
    auth_tokens: tuple[tuple[str, str], ...] = setting(
        parsers.tokens, "", "Who may call: `token=tenant,…`. Empty: everybody, as one tenant.", secret=True
    )
    auth_file: str = setting(
        str, "", "Tenants, their token hashes, certificates and limits; reloaded.", "path"
    )
    jwt_issuer: str = setting(
        parsers.word, "", "Who issues the JWTs by which callers are known: their `iss`."
    )
    jwt_audience: tuple[str, ...] = setting(parsers.words, "", "For whom they are: their `aud`; a list.")
    jwt_jwks: str = setting(parsers.jwks, "", "The keys that sign them, as JWKS; reloaded.", "path or URL")
    jwt_ca: str = setting(str, "", "Authorities to trust besides the system's, for that URL; PEM.", "path")
    jwt_algorithms: tuple[str, ...] = setting(parsers.algorithms, "RS256,ES256,EdDSA", "What may sign them.")
    jwt_tenant_claim: str = setting(parsers.word, "sub", "Their claim that names the tenant.")
    jwt_models_claim: str = setting(
        parsers.word, "", "The one that lists models. Empty: those of the tenant."
    )
    jwt_limits_claim: str = setting(
        parsers.word, "", "The one that holds limits. Empty: those of the tenant."
    )
    tls_cert: str = setting(str, "", "The service's certificate chain, PEM; reloaded.", "path")
    tls_key: str = setting(str, "", "The key of that certificate, PEM, without password; reloaded.", "path")
    tls_client_ca: str = setting(
        str, "", "Who signs callers' certificates, PEM; reloaded. Set: nobody connects without one.", "path"
    )
    allow_insecure: bool = setting(
        parsers.flag, "0", "1: serve beyond loopback without authentication or TLS."
    )
    reflection: bool | None = setting(
        parsers.optional_flag, "", "1: reflection answers anybody; 0: off. Empty: on, on loopback only."
    )
    log_level: str = setting(
        parsers.level, "info", "What is logged: `info`, a line a turn; `debug`, every change."
    )
    caller_attributes: tuple[str, ...] = setting(parsers.metadata, "", "Callers' metadata for spans and log.")
    metrics_listen: str = setting(parsers.address, "", "Where Prometheus reads. Empty: nowhere.", "host:port")
    payload_hook: str = setting(
        parsers.hook, "", "`module:function` that sees each full request and may change it."
    )
    tuning: frozenset[str] = setting(
        parsers.tuning, "on", "Tuning of the process: `on`, `off`, or a list of the pieces to leave out."
    )
    replica: str = setting(parsers.name, "", "What this process calls itself. Empty: the host's name.")
    jwt_route: ProxyRoute = DIRECT

    @property
    def reflects(self) -> bool:
        """Whether reflection is served."""
        return is_loopback(self.listen) if self.reflection is None else self.reflection

    @property
    def rates(self) -> Rates:
        """What a tenant without limits of its own may use."""
        return Rates(self.requests_per_minute, self.tokens_per_minute, self.tokens_per_day)

    @property
    def splits_frames(self) -> bool:
        """Whether plain frames are split without the library's parser."""
        return "frame-splitting" not in self.tuning

    def part(self, kind: type[_Part]) -> _Part:
        """Return the part that a room declares: a dataclass of names that stand here, without defaults."""
        return kind(**{field.name: getattr(self, field.name) for field in dataclasses.fields(kind)})


ROWS = {
    field.metadata.get("name") or PREFIX + field.name.upper(): field
    for field in dataclasses.fields(Settings)
    if field.metadata
}
"""Map each variable to the field that it sets."""


def load(environ: Mapping[str, str]) -> Settings:
    """Return the settings of this environment. Empty is the same as not set, as compose files need it.

    Raises SettingsError with all problems at once.
    """
    ours = [name for name in environ if name in ROWS or name.startswith(PREFIX)]
    given = {name: environ[name] for name in ours if environ[name]}
    problems = [unknown(name) for name in given if name not in ROWS]
    values: dict[str, Any] = {}
    for name, row in ROWS.items():
        try:
            if name in given:
                values[row.name] = row.metadata["parse"](given[name])
        except ValueError as error:
            problems.append(f"{name} {error}")
    if problems:
        raise SettingsError(*problems)
    settings = Settings(**values, given=frozenset(values))
    try:
        route = proxies.route_to(settings.http_url, environ)
        jwt_route = proxies.route_to(settings.jwt_jwks, environ) if "://" in settings.jwt_jwks else DIRECT
        settings = dataclasses.replace(settings, route=route, jwt_route=jwt_route)
    except ValueError as error:
        problems.append(str(error))
    if problems := [*problems, *contradictions(settings)]:
        raise SettingsError(*problems)
    return settings


def unknown(name: str) -> str:
    """Return what to say of a variable that is no setting."""
    names = [row.name.upper() for row in ROWS.values() if row.metadata.get("name") is None]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), names, n=1)
    hint = f"did you mean {PREFIX}{close[0]}?" if close else "docs/settings.md lists them all"
    return f"{name} is not a setting; {hint}"
