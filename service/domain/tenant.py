"""The authenticated caller with its limits (`Caller`), and an upstream API key (`Credential`).

A secret is in no repr.
"""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256

from service.domain.errors import Reason, TurnError, Violation


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key of the upstream. `digest` identifies it and may be stored; the secret may not."""

    secret: str = field(repr=False, compare=False)
    digest: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", sha256(self.secret.encode()).digest())


def parse_key(text: str) -> str:
    """Return the text of a key or token, which is sent as a header's value; it may be empty.

    Raises ValueError, which does not repeat the text, if a header cannot carry it.
    """
    if not re.fullmatch(r"[!-~]*", text):
        raise ValueError("must be printable ASCII without spaces; look for a stray line end")
    return text


@dataclass(frozen=True, slots=True)
class Rates:
    """How many requests and tokens a tenant may use. None: as many as it wants."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None

    def or_else(self, others: Rates) -> Rates:
        """Return these limits, and the others' where there is none here."""
        pairs = zip(astuple(self), astuple(others), strict=True)
        return Rates(*(other if own is None else own for own, other in pairs))

    def lowest(self, others: Rates) -> Rates:
        """Return the lower limit of both, each."""
        pairs = zip(astuple(self), astuple(others), strict=True)
        return Rates(*(lower(own, other) for own, other in pairs))

    def or_none(self) -> Rates | None:
        """Return None if nothing is limited."""
        return None if self == Rates() else self


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant of a call and its limits; None: no limit of its own.

    `key` None: the service's own key is used. `has_peers`: the tenant is one of several.
    """

    tenant: str = ""
    max_turns: int | None = None
    max_sessions: int | None = None
    models: tuple[str, ...] | None = None
    key: Credential | None = None
    max_request_bytes: int | None = None
    max_connections: int | None = None
    rates: Rates | None = None
    has_peers: bool = field(default=False, compare=False)

    def narrowed(self, other: Caller) -> Caller:
        """Return this caller with the lower of each limit, and with the models that both may use."""
        rates = (self.rates or Rates()).lowest(other.rates or Rates())
        return replace(
            self,
            max_turns=lower(self.max_turns, other.max_turns),
            max_sessions=lower(self.max_sessions, other.max_sessions),
            max_request_bytes=lower(self.max_request_bytes, other.max_request_bytes),
            max_connections=lower(self.max_connections, other.max_connections),
            models=_common(self.models, other.models),
            rates=rates.or_none(),
        )

    def check_size(self, size: int) -> None:
        """Raise TurnError INVALID_REQUEST when the request has more bytes than the tenant may send."""
        most = self.max_request_bytes
        if most is not None and size > most:
            description = f"has {size} bytes; at most {most} are allowed for this tenant (max_request_bytes)"
            violation = Violation("request", description)
            raise TurnError(Reason.INVALID_REQUEST, f"request: {description}", violations=(violation,))

    def check_model(self, model: str) -> None:
        """Raise TurnError PERMISSION_DENIED for a model that the tenant may not use.

        An allowed name that ends with * is a prefix.
        """
        if self.models is None or any(covers(allowed, model) for allowed in self.models):
            return
        raise TurnError(
            Reason.PERMISSION_DENIED, f"tenant {self.tenant!r} may not use the model {model[:128]!r}"
        )


def lower(one: int | None, other: int | None) -> int | None:
    """Return the lower of two limits. None is no limit."""
    return min((limit for limit in (one, other) if limit is not None), default=None)


def _common(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return what both allow. Of two names or prefixes one covers the other, or they share nothing."""
    if one is None or other is None:
        return other if one is None else one
    pairs = [(a, b) if covers(b, a) else (b, a) for a in one for b in other]
    return tuple(dict.fromkeys(narrow for narrow, wide in pairs if covers(wide, narrow)))


def covers(allowed: str, model: str) -> bool:
    """Return whether the name, or the prefix that ends with *, is that of the model."""
    return model.startswith(allowed[:-1]) if allowed.endswith("*") else model == allowed
