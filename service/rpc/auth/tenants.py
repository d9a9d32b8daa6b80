"""Read the tenants and their proofs from the auth file and the environment.

Only hashes of tokens are kept. A token is long and random, so one SHA-256 is enough: there is nothing to
guess that a slow hash would protect.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Annotated

import msgspec

from service import reload
from service.domain.tenant import Caller, Rates

MAX_FILE_BYTES = 1024 * 1024

NAME = r"[A-Za-z0-9_.:-]{1,128}"
Name = Annotated[str, msgspec.Meta(pattern=f"^{NAME}$")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Model = Annotated[str, msgspec.Meta(pattern=r"^([^*\s]+\*?|\*)$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Limit = Annotated[int, msgspec.Meta(ge=1)]
Rate = Annotated[int, msgspec.Meta(ge=1, le=2**53)]

PROOFS = ("token_sha256", "certificates", "subjects")
NO_RATES = Rates()


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The limits of a tenant. One that is left out does not apply."""

    max_turns: Limit | None = None
    max_sessions: Limit | None = None
    max_request_bytes: Limit | None = None
    max_connections: Limit | None = None
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    tokens_per_day: Rate | None = None

    def caller(
        self,
        tenant: str,
        models: tuple[str, ...] | None = None,
        defaults: Rates = NO_RATES,
        *,
        has_peers: bool = True,
    ) -> Caller:
        rates = Rates(self.requests_per_minute, self.tokens_per_minute, self.tokens_per_day)
        return Caller(
            tenant,
            self.max_turns,
            self.max_sessions,
            models,
            max_request_bytes=self.max_request_bytes,
            max_connections=self.max_connections,
            rates=rates.or_else(defaults).or_none(),
            has_peers=has_peers,
        )


class _Tenant(Limits, forbid_unknown_fields=True, frozen=True):
    """One table of the file."""

    token_sha256: tuple[Digest, ...] = ()
    certificates: tuple[Text, ...] = ()
    subjects: tuple[Text, ...] = ()
    models: Annotated[tuple[Model, ...], msgspec.Meta(min_length=1)] | None = None

    def limits(self) -> frozenset[str]:
        """Return the names of the limits that are set."""
        return frozenset(
            name for name in self.__struct_fields__ if name not in PROOFS and getattr(self, name) is not None
        )


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    tenants: dict[Name, dict[str, object]] = {}


class Tenants:
    """The callers by token, by certificate, and by what a JWT says.

    `unknown` has the limits of a tenant that only a JWT names. None: there is no such tenant.
    """

    def __init__(
        self,
        tokens: Sequence[tuple[bytes, Caller]],
        certificates: Mapping[str, Caller],
        subjects: Mapping[str, Caller],
        named: Mapping[str, Caller],
        unknown: Caller | None,
    ) -> None:
        self._tokens = tokens
        self._certificates = certificates
        self._subjects = subjects
        self._named = named
        self._unknown = unknown

    def __repr__(self) -> str:
        return f"Tenants({len(self._tokens)} tokens, {len(self._certificates)} certificates)"

    def of_token(self, given: bytes) -> Caller | None:
        """Return the caller who holds the token of this SHA-256."""
        found = None
        for known, caller in self._tokens:  # always all of them: constant time
            if hmac.compare_digest(known, given):
                found = caller
        return found

    def of_certificate(self, names: Iterable[str]) -> Caller | None:
        """Return the caller. Returns None when the names belong to no tenant or to more than one."""
        found = {name: self._certificates[name] for name in names if name in self._certificates}
        tenants = {caller.tenant for caller in found.values()}
        return next(iter(found.values())) if len(tenants) == 1 else None

    def of_subject(self, subject: str) -> Caller:
        """Return the caller whom an issuer calls so: the tenant that has this subject, or this name.

        Raises ValueError, in words that say what a tenant is, if there is none.
        """
        caller = self._subjects.get(subject) or self._named.get(subject)
        if caller is not None:
            return caller
        if self._unknown is None:
            raise ValueError("a tenant of the auth file, by its name or one of its subjects")
        if not re.fullmatch(NAME, subject):
            raise ValueError("a tenant's name: 1 to 128 of A-Z a-z 0-9 _ . : -")
        return replace(self._unknown, tenant=subject)


class TenantReader:
    """Read the tenants of the file ("": none) and of the environment's pairs, whose limits the file may set.

    `defaults`: what those may use that have no such limit in the file. `has_peers`: there may be tenants that
    neither names: those of JWTs, where there is no file. With one, whom neither names is nobody.

    A file that was truncated (a full disk, a write in progress) is often still valid, but its last tenants
    have lost their limits. So the limits read before are remembered: one that a tenant had is never lifted by
    its absence, and a file without tenants is invalid.
    """

    def __init__(
        self, path: str, given: Sequence[tuple[str, str]], defaults: Rates, *, has_peers: bool = False
    ) -> None:
        self._path = path
        self._has_peers = has_peers
        self._given = given
        self._defaults = defaults
        self._limited: dict[str, frozenset[str]] = {}

    def __call__(self) -> Tenants:
        """Read the file. Raises ValueError or OSError that says where it is invalid, without its content."""
        tables = _tables(self._path) if self._path else {}
        found = _tenants(tables, self._given, self._defaults, has_peers=self._has_peers)
        limited = {tenant: table.limits() for tenant, table in tables.items()}
        served = limited | {tenant: limited.get(tenant, frozenset()) for _, tenant in self._given}
        for tenant, limits in served.items():
            if missing := sorted(self._limited.get(tenant, frozenset()) - limits):
                raise ValueError(
                    f"tenant {tenant}: {missing[0]} was there before and is missing, as in a file that was"
                    ' cut off; to lift it write a large number, or models = ["*"]'
                )
        self._limited |= limited
        return found


def _tenants(
    tables: Mapping[str, _Tenant], given: Sequence[tuple[str, str]], defaults: Rates, *, has_peers: bool
) -> Tenants:
    has_peers = has_peers or len({*tables, *(name for _, name in given)}) > 1
    unknown = Caller(rates=defaults.or_none(), has_peers=has_peers)
    callers = {
        tenant: table.caller(tenant, table.models, defaults, has_peers=has_peers)
        for tenant, table in tables.items()
    }
    pairs = [
        (sha256(token.encode()).digest(), callers.get(name) or replace(unknown, tenant=name))
        for token, name in given
    ]
    certificates: dict[str, Caller] = {}
    subjects: dict[str, Caller] = {}
    for tenant, table in tables.items():
        pairs += [(bytes.fromhex(digest), callers[tenant]) for digest in table.token_sha256]
        if certificates.keys() & set(table.certificates):
            raise ValueError(f"tenant {tenant}: a certificate of it is another's too")
        if subjects.keys() & set(table.subjects) or (tables.keys() - {tenant}) & set(table.subjects):
            raise ValueError(f"tenant {tenant}: a subject of it is another's too, or another's name")
        certificates |= dict.fromkeys(table.certificates, callers[tenant])
        subjects |= dict.fromkeys(table.subjects, callers[tenant])
    if len({digest for digest, _ in pairs}) < len(set(pairs)):
        raise ValueError("two tenants have the same token; give each caller one of its own")
    named = {caller.tenant: caller for _, caller in pairs} | callers
    return Tenants(pairs, certificates, subjects, named, None if tables else unknown)


def _tables(path: str) -> dict[str, _Tenant]:
    try:
        tables = msgspec.toml.decode(reload.read(path, MAX_FILE_BYTES), type=_File).tenants
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    if not tables:
        raise ValueError(f"{path} names no tenant")
    return {name: _table(name, table) for name, table in tables.items()}


def _table(tenant: str, table: dict[str, object]) -> _Tenant:
    try:
        return msgspec.convert(table, _Tenant)
    except msgspec.ValidationError as error:
        raise ValueError(f"tenant {tenant}: {error}") from error
