"""The keys that pay: the service's own, and what becomes of a caller's.

Owns where the own one comes from, and when it is read again. Must never show one: a key leaves here only as a
request's header.
"""

from __future__ import annotations

from functools import partial

from service.config import parsers, reload
from service.config.reload import Watched
from service.config.settings import Settings
from service.domain.errors import Reason, TurnError
from service.domain.tenant import Credential

MAX_KEY_BYTES = 4096


class Keys:
    """A new key in the file is for new lines and posts; a line that is open keeps its own."""

    def __init__(self, settings: Settings) -> None:
        path = settings.upstream_key_file
        read = partial(_read, path) if path else lambda: settings.openai_api_key
        self._own = Watched("TRUNKLINE_UPSTREAM_KEY_FILE", [path] if path else [], read)
        self._callers_pay = settings.caller_keys

    def check(self, key: Credential | None) -> None:
        """TurnError UNAUTHENTICATED: the caller must bring a key, since the service has none to lend."""
        if key is None and self._callers_pay and not self._own.current():
            raise TurnError(Reason.UNAUTHENTICATED, "send the upstream's key in the metadata: x-upstream-key")

    def headers(self, key: Credential | None) -> dict[str, str]:
        """What a request carries. None: the service's own key, if it has one."""
        secret = self._own.current() if key is None else key.secret
        return {"Authorization": f"Bearer {secret}"} if secret else {}


def _read(path: str) -> str:
    text = reload.read(path, MAX_KEY_BYTES).decode().strip()
    if not text:
        raise ValueError(f"{path} is empty")
    return parsers.key(text)
