"""Identify callers by the JWTs of one issuer: `WebTokens`.

A token is a JWS in its compact form (RFC 7519), signed with a key of the issuer. Before its signature was
found right, nothing is said of what is wrong with a token, and nothing of it is used but its algorithm and
the id of its key, which choose among what the operator allows. Whatever else a header names (`jku`, `jwk`,
`x5u`) is ignored. After that an error says which claim is missing or wrong: its holder is the issuer's.

Verifying costs about as much as the rest of a call, so tokens that were verified are remembered, by their
hash, until they expire, and as long as keys and tenants are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import jwt
import msgspec
from jwt import PyJWK

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller
from service.rpc.auth.jwks import INTERVAL_S, MAX_BYTES, KeyFile, KeySet, KeySource, KeyUrl
from service.rpc.auth.tenants import Limits, Model, Tenants
from service.rpc.settings import ServerSettings
from service.transport import tls
from service.transport.fetching import Document

MAX_TOKEN_BYTES = 8192
MAX_REMEMBERED = 10_000
"""Verified tokens, of less than 1 KiB each. The one that was verified first makes room."""

MAX_MODELS = 100
FETCH_S = 5.0
"""How long a URL may take to serve the keys. Calls whose token names an unknown key wait so long at most."""

LEEWAY_S = 30
"""How far the clocks of the issuer and of this machine may be apart."""

REMEMBERED_S = 86_400.0
Models = Annotated[tuple[Model, ...], msgspec.Meta(max_length=MAX_MODELS)]

_Claim = TypeVar("_Claim")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say, and which of its claims say what. An empty name: no claim says it."""

    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...]
    tenant_claim: str
    models_claim: str = ""
    limits_claim: str = ""


@dataclass(frozen=True, slots=True)
class _Verified:
    """Who holds a token, until when in seconds of the epoch, by these keys and tenants."""

    caller: Caller
    until: float
    keys: KeySet
    tenants: Tenants


def web_tokens(settings: ServerSettings) -> WebTokens | None:
    """Return what verifies the tokens of the settings' issuer. Returns None without one.

    Raises SettingsError if a file of the settings cannot be used.
    """
    if not settings.jwt_issuer:
        return None
    where, algorithms = settings.jwt_jwks, settings.jwt_algorithms
    keys: KeySource
    if "://" in where:
        context = tls.trusting("TRUNKLINE_JWT_CA", settings.jwt_ca)
        document = Document(where, settings.jwt_route, context, max_bytes=MAX_BYTES, limit_s=FETCH_S)
        keys = KeyUrl(document.fetch, algorithms)
    else:
        keys = KeyFile(where, algorithms)
    expected = Expected(
        settings.jwt_issuer,
        settings.jwt_audience,
        algorithms,
        settings.jwt_tenant_claim,
        settings.jwt_models_claim,
        settings.jwt_limits_claim,
    )
    return WebTokens(expected, keys)


class WebTokens:
    """Verify tokens with the keys of `keys`. `wall` is the wall clock, in seconds of the epoch."""

    def __init__(self, expected: Expected, keys: KeySource, wall: Callable[[], float] = time.time) -> None:
        self._expected = expected
        self._keys = keys
        self._wall = wall
        self._verified: dict[bytes, _Verified] = {}

    def __repr__(self) -> str:
        return f"WebTokens({self._expected.issuer}, {len(self._verified)} remembered)"

    def start(self) -> None:
        """Begin to fetch the keys, where a URL serves them."""
        self._keys.start()

    async def close(self) -> None:
        """Stop fetching."""
        await self._keys.close()

    def known(self, digest: bytes, tenants: Tenants) -> Caller | None:
        """Return the caller who holds the token of this SHA-256, if that was verified and still counts."""
        known = self._verified.get(digest)
        if known is None:
            return None
        if known.tenants is tenants and known.keys is self._keys.current() and self._wall() < known.until:
            return known.caller
        del self._verified[digest]
        return None

    async def caller(self, token: bytes, digest: bytes, tenants: Tenants) -> Caller | None:
        """Verify a token, and remember its SHA-256. Returns None for one that the issuer did not sign.

        Raises TurnError UNAUTHENTICATED, which names the claim, for one that the issuer signed and that is
        not good here. Cancellation: nothing is left behind.
        """
        if len(token) > MAX_TOKEN_BYTES:
            return None
        header = self._header(token)
        if header is None:
            return None
        keys = self._keys.current()
        key = keys.find(header.get("kid"))
        if key is None:
            keys = await self._keys.renewed()
            key = keys.find(header.get("kid"))
            if not keys:
                message = "the keys of the tokens' issuer are not known yet; the service's log says why"
                raise TurnError(Reason.UNAUTHENTICATED, message, retryable=True, retry_after=INTERVAL_S)
        claims = None if key is None else self._claims(token, key)
        if claims is None:
            return None
        caller = self._caller(claims, tenants)
        until = min(int(claims["exp"]) + LEEWAY_S, self._wall() + REMEMBERED_S)
        self._remember(digest, _Verified(caller, until, keys, tenants))
        return caller

    def _header(self, token: bytes) -> dict[str, Any] | None:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError):
            return None
        return header if header.get("alg") in self._expected.algorithms else None

    def _claims(self, token: bytes, key: PyJWK) -> dict[str, Any] | None:
        """Return the claims of a token that this key has signed, checked. Returns None for any other."""
        expected = self._expected
        try:
            return jwt.decode(
                token,
                key,
                algorithms=expected.algorithms,
                audience=expected.audiences,
                issuer=expected.issuer,
                leeway=LEEWAY_S,
                options={"require": ["exp"], "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError:
            raise _refused("has expired (exp)") from None
        except jwt.ImmatureSignatureError:
            raise _refused("is not valid yet (nbf, iat)") from None
        except jwt.InvalidAudienceError:
            raise _refused("is for another audience (aud)") from None
        except jwt.InvalidIssuerError:
            raise _refused("is of another issuer (iss)") from None
        except jwt.MissingRequiredClaimError as error:
            raise _refused(f"lacks the claim {error.claim}") from None
        except (jwt.PyJWTError, ValueError):
            return None

    def _caller(self, claims: dict[str, Any], tenants: Tenants) -> Caller:
        """Return the tenant that the claims name, with the lower of its limits and those of the claims."""
        expected = self._expected
        try:
            caller = tenants.of_subject(_claim(claims, expected.tenant_claim, str, "a string"))
        except ValueError as error:
            raise _wrong(expected.tenant_claim, str(error)) from None
        models, limits = None, Limits()
        if name := expected.models_claim:
            models = _claim(claims, name, Models, f"a list of at most {MAX_MODELS} models")
        if name := expected.limits_claim:
            limits = _claim(claims, name, Limits, "an object of limits, named as in the auth file")
        return caller.narrowed(limits.caller(caller.tenant, models))

    def _remember(self, digest: bytes, verified: _Verified) -> None:
        if len(self._verified) >= MAX_REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = verified


def _claim(claims: dict[str, Any], name: str, kind: type[_Claim], what: str) -> _Claim:
    try:
        return msgspec.convert(claims.get(name), kind)
    except msgspec.ValidationError:
        raise _wrong(name, what) from None


def _wrong(name: str, what: str) -> TurnError:
    return _refused(f"must have {what} in the claim {name!r}")


def _refused(why: str) -> TurnError:
    return TurnError(Reason.UNAUTHENTICATED, f"the token {why}")
