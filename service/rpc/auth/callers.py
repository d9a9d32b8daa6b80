"""Authenticate calls: metadata and certificate become a `Caller`.

No secret appears in an error or a log. Nor does an error say which part of a proof was wrong, but for a JWT
that its issuer has signed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextvars import ContextVar
from dataclasses import replace
from hashlib import sha256

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Credential
from service.reload import Watched
from service.rpc.auth.tenants import TenantReader
from service.rpc.auth.web_tokens import web_tokens
from service.rpc.settings import ServerSettings

CALLER: ContextVar[Caller] = ContextVar("caller")
"""The caller of this task. It has no default, so a call that was not authenticated fails."""

UPSTREAM_KEY = "x-upstream-key"

Metadata = Sequence[tuple[str, str | bytes]]


class Callers:
    """Identify callers. `certified`: each connection has a certificate of the CA, so its names count."""

    def __init__(self, settings: ServerSettings) -> None:
        path = settings.auth_file
        read = TenantReader(path, settings.auth_tokens, settings.rates, has_peers=bool(settings.jwt_issuer))
        self._tenants = Watched("TRUNKLINE_AUTH_FILE", [path] if path else [], read)
        self._web_tokens = web_tokens(settings)
        self._anybody = Caller(rates=settings.rates.or_none())
        self._named = bool(path or settings.auth_tokens or settings.jwt_issuer)
        self._takes_keys = settings.caller_keys
        self.certified = bool(settings.tls_client_ca)

    def __repr__(self) -> str:
        return f"Callers({self._tenants.current()!r})"

    def start(self) -> None:
        """Begin to fetch the keys of JWTs, where a URL serves them."""
        if self._web_tokens is not None:
            self._web_tokens.start()

    async def close(self) -> None:
        """Stop fetching."""
        if self._web_tokens is not None:
            await self._web_tokens.close()

    async def caller(self, metadata: Metadata, certificate: Collection[str] = ()) -> Caller:
        """Return who sends this metadata over a connection with a certificate of these names.

        Without tenants in the settings, every caller is the tenant "". It waits for nothing but the keys of
        JWTs, when one names a key that is not known. Raises UNAUTHENTICATED, or PERMISSION_DENIED for an
        upstream key where the service accepts none.
        """
        caller = self._anybody
        if self._named:
            caller = await self._proven(_values(metadata, "authorization"), certificate)
        key = self._key(_values(metadata, UPSTREAM_KEY))
        return caller if key is None else replace(caller, key=key)

    async def _proven(self, authorization: list[bytes], certificate: Collection[str]) -> Caller:
        """Identify by token, by certificate, or by both if they agree: neither overrides the other."""
        tenants = self._tenants.current()
        holder = tenants.of_certificate(certificate)
        if holder is not None and not authorization:
            return holder
        token = _bearer(authorization)
        digest, web_tokens = sha256(token).digest(), self._web_tokens
        caller = web_tokens.known(digest, tenants) if web_tokens is not None else None
        if caller is None:
            caller = tenants.of_token(digest)
        if caller is None and web_tokens is not None:
            caller = await web_tokens.caller(token, digest, tenants)
        if caller is None:
            raise TurnError(Reason.UNAUTHENTICATED, "the bearer token is not known here")
        if holder is not None and holder.tenant != caller.tenant:
            raise TurnError(Reason.UNAUTHENTICATED, "the token and the certificate are of two tenants")
        return caller

    def _key(self, values: list[bytes]) -> Credential | None:
        if not values:
            return None
        if not self._takes_keys:
            raise TurnError(
                Reason.PERMISSION_DENIED, f"{UPSTREAM_KEY} is not taken here (TRUNKLINE_CALLER_KEYS)"
            )
        if len(values) != 1 or not re.fullmatch(rb"[!-~]{1,1024}", values[0]):
            raise TurnError(Reason.UNAUTHENTICATED, f"{UPSTREAM_KEY} must be one key, without spaces")
        return Credential(values[0].decode())


def _values(metadata: Metadata, name: str) -> list[bytes]:
    values = [value for key, value in metadata if key == name]
    return [value if isinstance(value, bytes) else value.encode() for value in values]


def _bearer(authorization: list[bytes]) -> bytes:
    if len(authorization) != 1:
        raise TurnError(
            Reason.UNAUTHENTICATED, "send one bearer token in the metadata: authorization: Bearer …"
        )
    scheme, _, token = authorization[0].partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise TurnError(Reason.UNAUTHENTICATED, "authorization must be: Bearer, a space, the token")
    return token.strip()
