"""The upstream's keys: the service's own, which may come from a file, and a caller's.

A key leaves this module only in a request's header.
"""

from __future__ import annotations

from functools import partial
from random import Random

from service import reload
from service.domain.errors import Reason, TurnError
from service.domain.key_source import KeySource
from service.domain.tenant import Credential, parse_key
from service.reload import Watched
from service.transport.settings import UpstreamSettings

MAX_KEY_BYTES = 4096


class Keys:
    """Choose the key of a request: the only one, or one of several at random, by their weights.

    A new key in a file counts for new connections and HTTP streams; an open connection keeps its own.
    """

    def __init__(self, settings: UpstreamSettings, random: Random | None = None) -> None:
        self._random = random or Random()
        self._own = [_watched(source, settings.name) for source in settings.keys]
        self._weights = [source.weight for source in settings.keys]
        self._caller_keys = settings.caller_keys
        bearer = settings.upstream_key_header == "bearer"
        self._header = "Authorization" if bearer else settings.upstream_key_header
        self._prefix = "Bearer " if bearer else ""

    @property
    def suffice(self) -> bool:
        """Whether callers need not bring a key: the service has one, or none is needed."""
        return not self._caller_keys or bool(self._chosen())

    def check(self, key: Credential | None) -> None:
        """Raise TurnError UNAUTHENTICATED when the caller must send a key, since the service has none."""
        if key is None and not self.suffice:
            raise TurnError(Reason.UNAUTHENTICATED, "send the upstream's key in the metadata: x-upstream-key")

    def headers(self, key: Credential | None) -> dict[str, str]:
        """Return the header that holds the key. `key` None: the service's own key, if it has one."""
        secret = self._chosen() if key is None else key.secret
        return {self._header: f"{self._prefix}{secret}"} if secret else {}

    def _chosen(self) -> str:
        own = self._own
        one = own[0] if len(own) == 1 else self._random.choices(own, self._weights)[0]
        return one.current()


def _watched(source: KeySource, upstream: str) -> Watched[str]:
    path = source.file
    read = partial(_read, path) if path else lambda: source.secret
    name = f"a key of upstream {upstream}" if upstream else "TRUNKLINE_UPSTREAM_KEY_FILE"
    return Watched(name, [path] if path else [], read)


def _read(path: str) -> str:
    text = reload.read(path, MAX_KEY_BYTES).decode().strip()
    if not text:
        raise ValueError(f"{path} is empty")
    return parse_key(text)
