"""The public keys that sign callers' JWTs, as a JSON Web Key Set (RFC 7517): `KeySet`, `KeyFile`, `KeyUrl`.

Both sources keep the keys that they have when they cannot read others, and return the same object until they
have read others.

An issuer changes its keys by adding the new one first, and by removing the old one when its tokens have
expired. So the keys of a URL are fetched again every `REFRESH_S`, without a call waiting for it, and when a
token names a key that is not among them: the calls that bring such tokens wait for one fetch together. It
begins at most every `INTERVAL_S`, whatever tokens strangers invent.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import jwt
import msgspec
from jwt import PyJWK

from service import reload
from service.reload import Watched

VARIABLE = "TRUNKLINE_JWT_JWKS"
MAX_BYTES = 256 * 1024
MAX_KEYS = 100
REFRESH_S = 300.0
INTERVAL_S = 30.0

logger = logging.getLogger(__name__)


class KeySet:
    """Keys by their `kid`."""

    def __init__(self, keys: Iterable[PyJWK] = ()) -> None:
        self._keys = list(keys)
        self._by_id = {key.key_id: key for key in self._keys}

    def __repr__(self) -> str:
        return f"KeySet({len(self._keys)} keys)"

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None) -> PyJWK | None:
        """Return the key of this id. A token that names none means the only one."""
        if kid is None:
            return self._keys[0] if len(self._keys) == 1 else None
        return self._by_id.get(kid)


class _Document(msgspec.Struct):
    keys: list[dict[str, Any]]


def parse(data: bytes, algorithms: Iterable[str]) -> KeySet:
    """Return the public keys of the document that verify signatures by these algorithms.

    A key of another kind or use is left out. Raises ValueError, without the content, if none is left.
    """
    try:
        found = msgspec.json.decode(data, type=_Document).keys
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ValueError('the document is no JSON Web Key Set: it must be JSON, {"keys": [...]}') from None
    if len(found) > MAX_KEYS:
        raise ValueError(f"the document has {len(found)} keys; at most {MAX_KEYS} are allowed")
    if any("d" in key or key.get("kty") == "oct" for key in found):
        raise ValueError("the document holds a secret or a private key; it must hold public ones only")
    keys = [key for key in map(_key, found) if key is not None and key.algorithm_name in set(algorithms)]
    if not keys:
        known = f"{', '.join(algorithms)} (TRUNKLINE_JWT_ALGORITHMS)"
        raise ValueError(f"the document has no key that verifies {known}")
    if len({key.key_id for key in keys}) < len(keys):
        raise ValueError("the document has two keys of the same kid, or without one")
    return KeySet(keys)


def _key(fields: dict[str, Any]) -> PyJWK | None:
    """Return the key, or None if it is not for signatures or of a kind that the library does not know."""
    if fields.get("use", "sig") != "sig" or not isinstance(fields.get("kid", ""), str):
        return None
    try:
        return PyJWK(fields)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        return None


class KeySource(Protocol):
    """Where the keys come from. `start` it in the event loop, and `close` it."""

    def start(self) -> None: ...
    async def close(self) -> None: ...

    def current(self) -> KeySet:
        """Return the keys that are known now."""

    async def renewed(self) -> KeySet:
        """Return the keys, read again if that is possible and was not done just now."""


class KeyFile:
    """The keys of a file, which is read again when it has changed. Raises SettingsError if it is invalid."""

    def __init__(self, path: str, algorithms: Iterable[str]) -> None:
        def read() -> KeySet:
            data = reload.read(path, MAX_BYTES)  # its errors name the path
            try:
                return parse(data, algorithms)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error

        self._keys = Watched(VARIABLE, [path], read)

    def __repr__(self) -> str:
        return f"KeyFile({self._keys.current()!r})"

    def start(self) -> None:
        """The file is read already."""

    async def close(self) -> None:
        """Nothing runs."""

    def current(self) -> KeySet:
        return self._keys.current()

    async def renewed(self) -> KeySet:
        return self._keys.current()


class KeyUrl:
    """The keys that a URL serves.

    `fetch` returns the document, or raises ValueError. Until the first one has come there is no key.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[bytes]],
        algorithms: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._algorithms = tuple(algorithms)
        self._clock = clock
        self._keys = KeySet()
        self._data = b""
        self._fault = ""
        self._began_at = -REFRESH_S
        self._fetching: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"KeyUrl({self._keys!r})"

    def start(self) -> None:
        """Begin to fetch the keys. Nobody waits: the service starts also when the issuer does not answer."""
        self._begin(0.0)

    def current(self) -> KeySet:
        self._begin(REFRESH_S)
        return self._keys

    async def renewed(self) -> KeySet:
        """Return the keys after the fetch that runs, or that begins now.

        Cancellation: the fetch goes on for others who wait.
        """
        self._begin(INTERVAL_S)
        if self._fetching is not None:
            await asyncio.wait([self._fetching])
        return self._keys

    async def close(self) -> None:
        """Stop the fetch that runs."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _begin(self, after_s: float) -> None:
        """Begin a fetch, unless one runs or the last one began less than `after_s` seconds ago."""
        now = self._clock()
        if self._fetching is None and now - self._began_at >= after_s:
            self._began_at = now
            self._fetching = asyncio.create_task(self._renew(), name="keys of JWTs")

    async def _renew(self) -> None:
        fault = ""
        try:
            data = await self._fetch()
            if data != self._data:
                self._keys, self._data = parse(data, self._algorithms), data
                logger.info("%s: %d keys", VARIABLE, len(self._keys))
        except ValueError as error:
            fault = str(error)
        finally:
            self._fetching = None
        if fault and fault != self._fault:
            logger.error("%s is broken, the %d keys from before hold: %s", VARIABLE, len(self._keys), fault)
        self._fault = fault
