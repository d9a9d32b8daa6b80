"""The upstream's keys: the service's own, which may come from a file, and a caller's.

A key leaves this module only in a request's header.
"""

from __future__ import annotations

from functools import partial

from service import reload
from service.domain.errors import Reason, TurnError
from service.domain.tenant import Credential, parse_key
from service.reload import Watched
from service.transport.settings import UpstreamSettings

MAX_KEY_BYTES = 4096


class Keys:
    """Choose the key of a request.

    A new key in the file counts for new connections and HTTP streams; an open connection keeps its own.
    """

    def __init__(self, settings: UpstreamSettings) -> None:
        path = settings.upstream_key_file
        read = partial(_read, path) if path else lambda: settings.openai_api_key
        self._own = Watched("TRUNKLINE_UPSTREAM_KEY_FILE", [path] if path else [], read)
        self._caller_keys = settings.caller_keys
        bearer = settings.upstream_key_header == "bearer"
        self._header = "Authorization" if bearer else settings.upstream_key_header
        self._prefix = "Bearer " if bearer else ""

    def check(self, key: Credential | None) -> None:
        """Raise TurnError UNAUTHENTICATED when the caller must send a key, since the service has none."""
        if key is None and self._caller_keys and not self._own.current():
            raise TurnError(Reason.UNAUTHENTICATED, "send the upstream's key in the metadata: x-upstream-key")

    def headers(self, key: Credential | None) -> dict[str, str]:
        """Return the header that holds the key. `key` None: the service's own key, if it has one."""
        secret = self._own.current() if key is None else key.secret
        return {self._header: f"{self._prefix}{secret}"} if secret else {}


def _read(path: str) -> str:
    text = reload.read(path, MAX_KEY_BYTES).decode().strip()
    if not text:
        raise ValueError(f"{path} is empty")
    return parse_key(text)
