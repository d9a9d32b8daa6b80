"""Seal what continues a stored response, so that a caller can carry it to another replica: `Tokens`.

A token is base64url of a version, a nonce, and `Claims` sealed by AES-GCM-SIV (RFC 8452), which bears a nonce
that comes twice: replicas share a key and know nothing of each other. It is bound to its tenant, the
upstream and the caller's key as associated data, so to anybody else it is noise. A token grants nothing: its
response is continued only for a caller who sends the history that led to it.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from service import reload
from service.domain.continuation import Claims, parse_continuation_keys
from service.domain.limits import MAX_CONTINUATION
from service.domain.tenant import Credential
from service.reload import Watched
from service.sessions.settings import EndpointSettings

VERSION = b"\x01"
NONCE_BYTES = 12
KEY_BITS = 256
MAX_AGE_S = 30 * 86_400
"""How long a token is good for, in seconds: as long as the upstream keeps responses."""
MAX_AHEAD_S = 300
"""How far the clock of the replica that sealed it may be ahead of ours."""
MAX_FILE_BYTES = 4096


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    """What is sealed. `issued`: seconds of the epoch."""

    issued: int
    claims: Claims


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Sealed).decode


class Tokens:
    """Seal tokens with the first key, open those of any.

    Without a key in the settings one is made, which is this process's own. `wall` is the wall clock.
    """

    def __init__(self, settings: EndpointSettings, wall: Callable[[], float]) -> None:
        self._url = settings.http_url
        self._wall = wall
        path = settings.continuation_key_file
        keys = settings.continuation_key or (AESGCMSIV.generate_key(KEY_BITS),)
        read = partial(_read, path) if path else lambda: _ciphers(keys)
        self._ciphers = Watched("TRUNKLINE_CONTINUATION_KEY_FILE", [path] if path else [], read)

    def __repr__(self) -> str:
        return f"Tokens({len(self._ciphers.current())} keys)"

    def seal(self, claims: Claims, tenant: str, key: Credential | None) -> str:
        """Return the token. Empty: it would be longer than a request may hold."""
        nonce = os.urandom(NONCE_BYTES)
        data = _encode(_Sealed(int(self._wall()), claims))
        sealed = self._ciphers.current()[0].encrypt(nonce, data, self._bound_to(tenant, key))
        token = _text(VERSION + nonce + sealed)
        return token if len(token) <= MAX_CONTINUATION else ""

    def open(self, token: str, tenant: str, key: Credential | None) -> Claims | None:
        """Return what the token says. Returns None for one that is malformed, forged, another's or old."""
        raw = _bytes(token)
        if not raw.startswith(VERSION):
            return None
        nonce, sealed = raw[1 : 1 + NONCE_BYTES], raw[1 + NONCE_BYTES :]
        bound_to = self._bound_to(tenant, key)
        for cipher in self._ciphers.current():
            try:
                opened = _decode(cipher.decrypt(nonce, sealed, bound_to))
            except (InvalidTag, ValueError):  # ValueError: too short, or no claims of ours
                continue
            age_s = self._wall() - opened.issued
            return opened.claims if -MAX_AHEAD_S <= age_s <= MAX_AGE_S else None
        return None

    def _bound_to(self, tenant: str, key: Credential | None) -> bytes:
        digest = key.digest if key is not None else b""
        return _encode(("trunkline continuation", VERSION, tenant, self._url, digest))


def _read(path: str) -> tuple[AESGCMSIV, ...]:
    keys = parse_continuation_keys(reload.read(path, MAX_FILE_BYTES).decode().strip())
    if not keys:
        raise ValueError(f"{path} is empty")
    return _ciphers(keys)


def _ciphers(keys: tuple[bytes, ...]) -> tuple[AESGCMSIV, ...]:
    return tuple(map(AESGCMSIV, keys))


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(token: str) -> bytes:
    """Return the bytes of a token. Returns b"" for what is not the one way to write them."""
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        return b""
    return raw if _text(raw) == token else b""
