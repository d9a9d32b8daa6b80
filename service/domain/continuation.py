"""Say in a few bytes what a stored response includes, and find it in a caller's items: `Claims`.

A session remembers digests of each item (`Known`), 21 bytes each. What a caller carries to another replica
has no room for that, so it holds two digests of the whole: one over all units, one over those that a caller
may not leave out of an answer. Whichever is that of the beginning of the caller's own items gives the digests
of each item back. For example, of a question a, a thought T and an answer B:

    whole = digest(a, T, B), 3 units        required = digest(a, B), 2 units
    the caller sends [a, T, B, c]           the first three are whole:    [c] is new
    the caller sends [a, B, c]              the first two are required:   [c] is new

After a compaction it holds the same two of what stands there and later: a caller may leave out the rest.

A caller who left out some of it and not all sends everything: the digests are a hint, never the truth.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence, Set

import msgspec

from service.domain.effort import Efforts
from service.domain.history import Chain, changed_settings, continued, full_plan
from service.domain.known import Known, Prefix, leading
from service.domain.messages import Item
from service.domain.plan import STRICT_BASIS, ChainFingerprint, ContextReason, Plan

SHORT_BYTES = 8
"""Of the digest of a setting. Whoever finds another setting with the same fools only themselves."""

KEY_BYTES = 32
MAX_KEYS = 8
"""Of those that open a token."""

_SETTINGS = tuple(reason for reason in ContextReason if reason in STRICT_BASIS)
"""The order in which claims hold the settings; another one is another version of the token."""


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What a stored response includes: its id, short digests of its settings, and those of its items.

    `efforts`: those of its chain, asked for and now.
    """

    response_id: str
    settings: tuple[bytes, ...]
    whole: Prefix
    required: Prefix
    efforts: tuple[str, str] = ("", "")
    compacted: tuple[Prefix, Prefix] | None = None
    """The same from the last compaction on: what stands before it, a caller may leave out."""

    @classmethod
    def of(cls, chain: Chain) -> Claims:
        settings = tuple(chain.fingerprint.get(reason, b"")[:SHORT_BYTES] for reason in _SETTINGS)
        efforts = (chain.efforts.asked, chain.efforts.now)
        known, since = chain.known, chain.known.since_compaction()
        compacted = (since.whole(), since.required()) if since is not None else None
        return cls(chain.response_id, settings, known.whole(), known.required(), efforts, compacted)

    def plan(
        self,
        items: tuple[Item, ...],
        fingerprint: ChainFingerprint,
        basis: Set[ContextReason],
        sizes: Callable[[Sequence[Item]], Sequence[int]],
    ) -> tuple[Plan, Chain | None]:
        """Plan a request that continues the response, and return the chain of an incremental one.

        The reasons for a full one are those of `continued`. `sizes` returns the bytes of items in a request.
        """
        before = self._fingerprint(fingerprint)
        for reason in changed_settings(before, fingerprint):
            if reason in basis:
                return full_plan(items, reason), None
        count = self._count(items)
        if count is None:
            return full_plan(items, ContextReason.HISTORY_EDITED), None
        known = Known().followed_by(items[:count], sizes(items[:count]))
        chain = Chain(self.response_id, None, before, known, Efforts(*self.efforts))
        plan = continued(chain, items, fingerprint, basis)
        return plan, chain if plan.incremental else None

    def _fingerprint(self, now: ChainFingerprint) -> ChainFingerprint:
        """Return the settings of the response: where the short digests are equal, those of now."""
        fingerprint = {}
        for reason, short in zip(_SETTINGS, self.settings, strict=False):
            digest = now.get(reason, b"")
            fingerprint[reason] = digest if digest[:SHORT_BYTES] == short else short
        return fingerprint

    def _count(self, items: Sequence[Item]) -> int | None:
        """Count the leading items that the response includes. Returns None when the history was edited."""
        count = _count(items, self.whole, self.required)
        return _count(items, *self.compacted) if count is None and self.compacted is not None else count


def _count(items: Sequence[Item], whole: Prefix, required: Prefix) -> int | None:
    count = leading(items, whole)
    if count is None and required != whole:
        count = leading(items, required)
        # A thought right after it may be one of those left out, changed: the upstream would have both.
        if count is not None and any(item.is_optional for item in items[count : count + 1]):
            return None
    return count


def parse_continuation_keys(text: str) -> tuple[bytes, ...]:
    """Return the keys, the one that seals first.

    Raises ValueError in words that follow the name of a setting, and number the keys: they are secrets.
    """
    entries = [entry.strip() for entry in text.split(",")] if text.strip() else []
    if len(entries) > MAX_KEYS:
        raise ValueError(f"must be at most {MAX_KEYS} keys")
    keys = []
    for number, entry in enumerate(entries, 1):
        try:
            key = base64.b64decode(entry, validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(
                f"must be base64 of {KEY_BYTES} bytes (openssl rand -base64 32); key {number} is not"
            )
        keys.append(key)
    return tuple(keys)
