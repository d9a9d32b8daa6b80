"""Read the upstreams file: several upstreams, each as the `Settings` that hold for it, and their routes.

A table of the file is the environment's settings with some values of its own. So an upstream has each setting
that it does not name from the environment, and its values are parsed and bounded as those of the environment
are. What says where the upstream is and who pays (URL, keys, headers) comes from the file only.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import msgspec

from service import reload
from service.config import parsers, proxies
from service.config.settings import ROWS, Settings
from service.domain.key_source import KeySource
from service.domain.report import UpstreamReason
from service.domain.routes import ALL, Routes, Rule, Served
from service.domain.tenant import parse_key

MAX_FILE_BYTES = 1024 * 1024
MAX_UPSTREAMS = 64
MAX_RULES = 1024

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Glob = Annotated[str, msgspec.Meta(pattern=r"^\S{1,256}$")]
Globs = Annotated[tuple[Glob, ...], msgspec.Meta(min_length=1, max_length=1024)]
Renamed = Annotated[str, msgspec.Meta(pattern=r"^[^\s\[\]]{1,256}$")]
Weight = Annotated[int, msgspec.Meta(ge=1, le=1000)]

Failure = Literal["upstream_auth", "rate_limited", "quota_exhausted", "upstream_error", "timeout"]
"""What leads a turn to another upstream, unless the file leaves it out. Not being reached always does."""

OWN = {row.name.removeprefix("upstream_"): row for row in ROWS.values() if row.metadata.get("own")}
"""The settings of which an upstream may have its own, by their keys in the file."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The upstreams in the order of the file."""

    settings: tuple[Settings, ...]
    routes: Routes

    @property
    def connections(self) -> int:
        """The most connections of all together."""
        return sum(one.max_connections for one in self.settings)


class _Key(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    env: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    file: Annotated[str, msgspec.Meta(min_length=1)] | None = None
    weight: Weight = 1


class _Upstream(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is in the table of an upstream besides `OWN`."""

    url: str
    keys: Annotated[tuple[_Key, ...], msgspec.Meta(min_length=1, max_length=64)] | None = None
    headers: dict[str, str] = {}
    models: Globs | None = None
    rename: dict[Renamed, Glob] = {}
    proxy: str | None = None
    caller_keys: bool = False

    def served(self, name: str) -> Served:
        models = self.models or (() if self.rename else ALL)
        return Served(name, models, tuple(self.rename.items()))


class _Rule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    upstreams: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    models: Globs = ALL
    tenants: Globs = ALL


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    upstreams: Annotated[dict[Name, dict[str, Any]], msgspec.Meta(min_length=1, max_length=MAX_UPSTREAMS)]
    failover: tuple[Failure, ...] = get_args(Failure)
    routes: Annotated[tuple[_Rule, ...], msgspec.Meta(max_length=MAX_RULES)] = ()


def read_upstreams(path: str, settings: Settings, environ: Mapping[str, str]) -> Upstreams:
    """Return what the file says.

    Raises ValueError or OSError that says where the file is invalid: the line, or the upstream and its key.
    No secret is repeated.
    """
    file = _parsed(path)
    reasons = {UpstreamReason.CONNECT_FAILED, *map(UpstreamReason, file.failover)}
    shared = dataclasses.replace(settings, failover=frozenset(reasons))
    found, served = [], []
    for name, table in file.upstreams.items():
        try:
            one = msgspec.convert({key: value for key, value in table.items() if key not in OWN}, _Upstream)
            found.append(_settings(shared, name, table, one, environ))
            served.append(one.served(name))
        except ValueError as error:
            raise ValueError(f"upstream {name}: {error}") from error
    return Upstreams(tuple(found), Routes(served, list(_rules(file))))


def _parsed(path: str) -> _File:
    try:
        return msgspec.convert(tomllib.loads(reload.read(path, MAX_FILE_BYTES).decode()), _File)
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    except ValueError as error:  # no TOML, no UTF-8, or not these tables
        raise ValueError(f"{path}: {error}") from error


def _rules(file: _File) -> Iterator[Rule]:
    for number, rule in enumerate(file.routes, 1):
        for name in rule.upstreams:
            if name not in file.upstreams:
                raise ValueError(f"route {number} names the upstream {name!r}, which is not in the file")
        if len(set(rule.upstreams)) < len(rule.upstreams):
            raise ValueError(f"route {number} names an upstream twice")
        yield Rule(rule.upstreams, rule.models, rule.tenants)


def _settings(
    settings: Settings, name: str, table: Mapping[str, Any], one: _Upstream, environ: Mapping[str, str]
) -> Settings:
    """Return the settings that hold for this upstream."""
    values = {OWN[key].name: _own(key, value) for key, value in table.items() if key in OWN}
    url = _named("url", parsers.url, one.url)
    keys = tuple(_key(number, key, environ) for number, key in enumerate(one.keys or (), 1))
    if url.startswith("https:") and not (keys or one.caller_keys):
        raise ValueError("keys is missing; an https upstream needs one, or caller_keys = true")
    found = dataclasses.replace(
        settings,
        **values,
        name=name,
        upstream_url=url,
        own_keys=keys or (KeySource(),),
        upstream_headers=_named("headers", parsers.checked_headers, tuple(one.headers.items())),
        caller_keys=one.caller_keys,
        given=settings.given | values.keys(),
    )
    if found.warm_spares > found.max_connections:
        raise ValueError("warm_spares is more than max_connections; lower it")
    given = one.proxy
    route = proxies.named_route(given, "proxy") if given else proxies.route_to(found.http_url, environ)
    return dataclasses.replace(found, route=route)


def _own(key: str, value: Any) -> Any:
    """Return the value of a setting, parsed as if it stood in the environment."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = ",".join(value)
    elif isinstance(value, bool):
        value = str(int(value))
    elif isinstance(value, int | float):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a string, a number, true or false")  # noqa: TRY004  as all others
    return _named(key, OWN[key].metadata["parse"], value)


def _named(key: str, parse: Any, value: Any) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from error


def _key(number: int, key: _Key, environ: Mapping[str, str]) -> KeySource:
    if (key.env is None) == (key.file is None):
        raise ValueError(f"key {number} must name either env, a variable, or file")
    if key.file is not None:
        return KeySource(file=key.file, weight=key.weight)
    assert key.env is not None, "one of them is set"
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key.env):
        raise ValueError(f"key {number} must name a variable in env, not hold the key")
    if not environ.get(key.env):
        raise ValueError(f"key {number} names the variable {key.env}, which is not set")
    return KeySource(_named(f"key {number}", parse_key, environ[key.env]), weight=key.weight)
