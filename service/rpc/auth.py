"""Who calls: bearer token → tenant.

Owns the tokens. Must never tell, log or show one, nor say which part of a wrong one was right.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from contextvars import ContextVar

from service.domain.errors import Reason, TurnError

TENANT: ContextVar[str] = ContextVar("tenant")
"""Whose call this task serves. No default: a call that nobody authenticated fails."""

Metadata = Sequence[tuple[str, str | bytes]]


class Callers:
    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        self._tokens = [(token.encode(), tenant) for token, tenant in tokens]

    def __repr__(self) -> str:
        return f"Callers({len(self._tokens)} tokens)"

    def tenant(self, metadata: Metadata) -> str:
        """The tenant of a call with this metadata. Without tokens everybody is the tenant "".

        Raises UNAUTHENTICATED.
        """
        if not self._tokens:
            return ""
        given = _bearer(metadata)
        tenant = None
        for token, owner in self._tokens:  # all of them, always: time tells nothing
            if hmac.compare_digest(token, given):
                tenant = owner
        if tenant is None:
            raise TurnError(Reason.UNAUTHENTICATED, "the bearer token is not known here")
        return tenant


def _bearer(metadata: Metadata) -> bytes:
    values = [value for key, value in metadata if key == "authorization"]
    if len(values) != 1:
        raise TurnError(
            Reason.UNAUTHENTICATED, "send one bearer token in the metadata: authorization: Bearer …"
        )
    value = values[0] if isinstance(values[0], bytes) else values[0].encode()
    scheme, _, token = value.partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise TurnError(Reason.UNAUTHENTICATED, "authorization must be: Bearer, a space, the token")
    return token.strip()
