"""The settings that rpc needs: `ServerSettings`."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.domain.proxy import ProxyRoute
from service.domain.tenant import Rates


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where gRPC is served, who may call, and the bounds of a request. `reflects`: serve reflection.

    `rates`: what a tenant without limits of its own may use. `jwt_issuer`: whose JWTs identify callers; "":
    nobody's. `jwt_route`: the way to the URL of their keys.
    """

    listen: str
    reflects: bool
    replica: str
    auth_file: str
    auth_tokens: tuple[tuple[str, str], ...] = field(repr=False)
    caller_keys: bool
    rates: Rates
    tls_cert: str
    tls_key: str
    tls_client_ca: str
    receive_timeout_s: float
    max_request_bytes: int
    max_messages: int
    max_linger_s: float
    jwt_issuer: str
    jwt_audience: tuple[str, ...]
    jwt_jwks: str
    jwt_algorithms: tuple[str, ...]
    jwt_tenant_claim: str
    jwt_models_claim: str
    jwt_limits_claim: str
    jwt_ca: str
    jwt_route: ProxyRoute
    max_turns: int
    queue_size: int
