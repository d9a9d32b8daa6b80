"""Find settings that cannot hold together: `contradictions`."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.config.settings import Settings

ONE_UPSTREAM = frozenset({"upstream_url", "upstream_key_file", "upstream_key_header", "upstream_headers"})
"""Settings that say where the only upstream is and who pays: in the file each upstream has its own."""


def contradictions(settings: Settings) -> Iterator[str]:
    """Yield what is wrong with the settings together, a line each."""
    if settings.upstreams_file:
        for name in sorted(ONE_UPSTREAM & settings.given):
            yield f"TRUNKLINE_UPSTREAMS_FILE and TRUNKLINE_{name.upper()} are both set; keep one"
    else:
        yield from _without_key(settings)
    if settings.openai_api_key and settings.upstream_key_file:
        yield "OPENAI_API_KEY and TRUNKLINE_UPSTREAM_KEY_FILE are both set; keep one"
    if settings.continuation_key and settings.continuation_key_file:
        yield "TRUNKLINE_CONTINUATION_KEY and TRUNKLINE_CONTINUATION_KEY_FILE are both set; keep one"
    if bool(settings.tls_cert) != bool(settings.tls_key):
        yield "TRUNKLINE_TLS_CERT and TRUNKLINE_TLS_KEY go together; set both"
    if settings.tls_client_ca and not settings.tls_cert:
        yield "TRUNKLINE_TLS_CLIENT_CA needs TRUNKLINE_TLS_CERT and TRUNKLINE_TLS_KEY"
    yield from _of_tokens(settings)
    if not (settings.allow_insecure or is_loopback(settings.listen)):
        yield from _exposures(settings)
    if settings.warm_spares > settings.max_connections:
        yield "TRUNKLINE_WARM_SPARES is more than TRUNKLINE_MAX_CONNECTIONS; lower it"


def _of_tokens(settings: Settings) -> Iterator[str]:
    needed = {
        "TRUNKLINE_JWT_ISSUER": settings.jwt_issuer,
        "TRUNKLINE_JWT_AUDIENCE": settings.jwt_audience,
        "TRUNKLINE_JWT_JWKS": settings.jwt_jwks,
    }
    missing = [name for name, value in needed.items() if not value]
    more = sorted(name for name in settings.given if name.startswith("jwt_"))
    if more and missing:
        yield f"TRUNKLINE_{more[0].upper()} needs {' and '.join(missing)}; set all three or none"


def _without_key(settings: Settings) -> Iterator[str]:
    has_key = settings.openai_api_key or settings.upstream_key_file
    if settings.upstream_url.startswith("https:") and not (has_key or settings.caller_keys):
        yield "OPENAI_API_KEY is not set; the https upstream of TRUNKLINE_UPSTREAM_URL needs it"


def is_loopback(listen: str) -> bool:
    """Return whether only this machine reaches HOST:PORT."""
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _exposures(settings: Settings) -> Iterator[str]:
    """Yield what is missing when other machines can call."""
    where = "TRUNKLINE_LISTEN reaches beyond this machine and"
    instead = "or TRUNKLINE_ALLOW_INSECURE=1 where the network is trusted"
    if not (settings.auth_tokens or settings.auth_file or settings.jwt_issuer or settings.tls_client_ca):
        yield f"{where} nobody would have to say who they are; set TRUNKLINE_AUTH_FILE, {instead}"
    if not settings.tls_cert:
        yield f"{where} calls would cross the network as they are; set TRUNKLINE_TLS_CERT, {instead}"
