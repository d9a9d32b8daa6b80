"""An issuer of JWTs: its keys, what it signs, and the document in which it publishes the keys."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.integration.faults import raw

ISSUER = "https://issuer.example"
AUDIENCE = "trunkline"
HOUR_S = 3600
MAKE: dict[str, Any] = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65_537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
AS_JWK: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


class Key:
    """A key pair of the issuer."""

    def __init__(self, kid: str | None = "k1", algorithm: str = "ES256") -> None:
        self.kid = kid
        self.algorithm = algorithm
        self.private = MAKE[algorithm]()

    def jwk(self, *, private: bool = False) -> dict[str, Any]:
        key = self.private if private else self.private.public_key()
        fields: dict[str, Any] = AS_JWK[self.algorithm].to_jwk(key, as_dict=True)
        fields.pop("key_ops", None)
        return (
            fields | ({} if self.kid is None else {"kid": self.kid}) | {"use": "sig", "alg": self.algorithm}
        )

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(claims, self.private, self.algorithm, headers=named | header)


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good token, but for these; None leaves one out."""
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alpha", "iat": now, "nbf": now, "exp": now + HOUR_S}
    return {name: value for name, value in (good | changed).items() if value is not None}


def document(*keys: Key) -> bytes:
    return json.dumps({"keys": [key.jwk() for key in keys]}).encode()


def encoded(part: object) -> str:
    """One part of a token, as it is or as JSON."""
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def settings(where: str, **more: str) -> dict[str, str]:
    return {"JWT_ISSUER": ISSUER, "JWT_AUDIENCE": AUDIENCE, "JWT_JWKS": where} | more


class Published:
    """A server of the document. While its `gate` is closed it takes requests and answers none."""

    def __init__(self, *keys: Key) -> None:
        self.content = document(*keys)
        self.status = 200
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0
        self.url = ""

    async def serve(self, _reader, writer, _head: bytes) -> None:
        self.asked += 1
        await self.gate.wait()
        writer.write(f"HTTP/1.1 {self.status} X\r\nConnection: close\r\n\r\n".encode() + self.content)
        await writer.drain()


@asynccontextmanager
async def published(*keys: Key) -> AsyncIterator[Published]:
    server = Published(*keys)
    async with raw.upstream(server.serve) as url:
        server.url = f"{url}/keys"
        yield server
