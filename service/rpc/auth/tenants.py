"""Read the tenants and their proofs from the auth file and the environment.

Only hashes of tokens are kept. A token is long and random, so one SHA-256 is enough: there is nothing to
guess that a slow hash would protect.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Annotated

import msgspec

from service import reload
from service.domain.tenant import Caller, Rates

MAX_FILE_BYTES = 1024 * 1024

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Model = Annotated[str, msgspec.Meta(pattern=r"^([^*\s]+\*?|\*)$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Limit = Annotated[int, msgspec.Meta(ge=1)]
Rate = Annotated[int, msgspec.Meta(ge=1, le=2**53)]

PROOFS = ("token_sha256", "certificates")


class _Tenant(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One table of the file. A limit that it omits does not apply."""

    token_sha256: tuple[Digest, ...] = ()
    certificates: tuple[Text, ...] = ()
    max_turns: Limit | None = None
    max_sessions: Limit | None = None
    max_request_bytes: Limit | None = None
    max_connections: Limit | None = None
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = None
    tokens_per_day: Rate | None = None
    models: Annotated[tuple[Model, ...], msgspec.Meta(min_length=1)] | None = None

    def caller(self, tenant: str, defaults: Rates, *, has_peers: bool) -> Caller:
        rates = Rates(self.requests_per_minute, self.tokens_per_minute, self.tokens_per_day)
        return Caller(
            tenant,
            self.max_turns,
            self.max_sessions,
            self.models,
            max_request_bytes=self.max_request_bytes,
            max_connections=self.max_connections,
            rates=rates.or_else(defaults).or_none(),
            has_peers=has_peers,
        )

    def limits(self) -> frozenset[str]:
        """Return the names of the limits that are set."""
        return frozenset(
            name for name in self.__struct_fields__ if name not in PROOFS and getattr(self, name) is not None
        )


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    tenants: dict[Name, dict[str, object]] = {}


class Tenants:
    """The callers by token and by certificate."""

    def __init__(self, tokens: Sequence[tuple[bytes, Caller]], certificates: Mapping[str, Caller]) -> None:
        self._tokens = tokens
        self._certificates = certificates

    def __repr__(self) -> str:
        return f"Tenants({len(self._tokens)} tokens, {len(self._certificates)} certificates)"

    def of_token(self, token: bytes) -> Caller | None:
        given = sha256(token).digest()
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


class TenantReader:
    """Read the tenants of the file ("": none) and of the environment's pairs, whose limits the file may set.

    `defaults`: what those may use that have no such limit in the file.

    A file that was truncated (a full disk, a write in progress) is often still valid, but its last tenants
    have lost their limits. So the limits read before are remembered: one that a tenant had is never lifted by
    its absence, and a file without tenants is invalid.
    """

    def __init__(self, path: str, given: Sequence[tuple[str, str]], defaults: Rates) -> None:
        self._path = path
        self._given = given
        self._defaults = defaults
        self._limited: dict[str, frozenset[str]] = {}

    def __call__(self) -> Tenants:
        """Read the file. Raises ValueError or OSError that says where it is invalid, without its content."""
        tables = _tables(self._path) if self._path else {}
        found = _tenants(tables, self._given, self._defaults)
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


def _tenants(tables: Mapping[str, _Tenant], given: Sequence[tuple[str, str]], defaults: Rates) -> Tenants:
    has_peers = len({*tables, *(name for _, name in given)}) > 1
    callers = {
        tenant: table.caller(tenant, defaults, has_peers=has_peers) for tenant, table in tables.items()
    }
    pairs = [
        (
            sha256(token.encode()).digest(),
            callers.get(name) or Caller(name, rates=defaults.or_none(), has_peers=has_peers),
        )
        for token, name in given
    ]
    certificates: dict[str, Caller] = {}
    for tenant, table in tables.items():
        pairs += [(bytes.fromhex(digest), callers[tenant]) for digest in table.token_sha256]
        if certificates.keys() & set(table.certificates):
            raise ValueError(f"tenant {tenant}: a certificate of it is another's too")
        certificates |= dict.fromkeys(table.certificates, callers[tenant])
    if len({digest for digest, _ in pairs}) < len(set(pairs)):
        raise ValueError("two tenants have the same token; give each caller one of its own")
    return Tenants(pairs, certificates)


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
