"""Choose the route to the upstream, direct or through a proxy, by the environment's proxy variables.

The variables have no standard. What is done here is what curl and Python's urllib agree on, and where they
differ, the one that surprises less:

- The upstream's scheme chooses `HTTPS_PROXY` or `HTTP_PROXY`; `ALL_PROXY` serves where that is not set. A
  name in lower case wins over the one in upper case. An empty variable is the same as one that is not set.
- `HOST:PORT` without a scheme is `http://HOST:PORT`. Without a port it is the scheme's own, 80 or 443.
- `NO_PROXY` is a list, separated by commas or spaces, of hosts that are reached directly: `*`, all; a name,
  with all names below it, with or without a dot or `*.` in front; an address, IPv6 in brackets or not; a
  network, such as `10.0.0.0/8` or `fd07::/64`. A port may follow: `example.org:8443`, `[fd07::1]:8443`. Names
  are not resolved, so a network is compared with a host that is written as an address. An entry that is none
  of these matches nothing.
- Loopback is reached directly, whatever the variables say.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from service.domain.proxy import DIRECT, Proxy, ProxyRoute

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK = "localhost,127.0.0.1,127.0.0.0/8,::1"
SOCKS = frozenset({"socks", "socks4", "socks4a", "socks5", "socks5h"})


class _Given(NamedTuple):
    variable: str
    parts: SplitResult


def route_to(url: str, environ: Mapping[str, str]) -> ProxyRoute:
    """Return the route to this http or https URL.

    Raises ValueError if a proxy variable is invalid or names a proxy of a kind that is not supported. It
    names the variable, says what to do, and repeats no password.
    """
    target = urlsplit(url)
    host, port = (target.hostname or "").rstrip("."), target.port or DEFAULT_PORTS[target.scheme]
    # All are read, so that a mistake is found at once and not when the upstream's URL changes.
    given = {kind: _given(kind, environ) for kind in ("http", "https", "all")}
    chosen = given[target.scheme] or given["all"]
    if chosen is None:
        return DIRECT
    if is_loopback(host):
        return ProxyRoute(why="loopback")
    if excluded := _excluded(host, port, environ):
        return ProxyRoute(why=f"{excluded} names it")
    if chosen.parts.scheme in SOCKS:
        raise ValueError(
            f"{chosen.variable} names a SOCKS proxy, which is not supported; set"
            f" {target.scheme.upper()}_PROXY to an HTTP proxy, or name {host} in NO_PROXY"
        )
    return ProxyRoute(_proxy(chosen), why="")


def named_route(text: str, what: str) -> ProxyRoute:
    """Return the route by the proxy of this URL; "direct": by none. `what` names the setting.

    Raises ValueError, as `route_to` does.
    """
    if text == "direct":
        return ProxyRoute(why=f"{what} says so")
    given = _parsed(what, text)
    if given.parts.scheme in SOCKS:
        raise ValueError(f"{what} names a SOCKS proxy, which is not supported; name an HTTP proxy")
    return ProxyRoute(_proxy(given), why="")


def spare_loopback(environ: MutableMapping[str, str]) -> None:
    """Exclude loopback from proxying for the exporters of telemetry, which read the variables themselves."""
    _, excluded = _value("no", environ)
    if excluded != "*" and any(_value(kind, environ)[0] for kind in ("grpc", "http", "https", "all")):
        # In lower case, which wins everywhere and is all that gRPC reads.
        environ["no_proxy"] = ",".join(filter(None, (excluded, LOOPBACK)))


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its name or address; names are not resolved."""
    address = _address(host)
    if address is not None:
        return address.is_loopback or address.is_unspecified
    return host == "localhost" or host.endswith(".localhost")


def _value(kind: str, environ: Mapping[str, str]) -> tuple[str, str]:
    for variable in (f"{kind}_proxy", f"{kind.upper()}_PROXY"):
        if value := environ.get(variable, "").strip():
            return variable, value
    return "", ""


def _given(kind: str, environ: Mapping[str, str]) -> _Given | None:
    variable, text = _value(kind, environ)
    return _parsed(variable, text) if text else None


def _parsed(variable: str, text: str) -> _Given:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        _check(parts)
    except ValueError as error:
        raise ValueError(
            f"{variable} must be the URL of an HTTP proxy, like http://proxy.example.org:3128;"
            " write special characters of a password as %XX"
        ) from error
    return _Given(variable, parts)


def _check(parts: SplitResult) -> None:
    """Raise ValueError if this is not the URL of a proxy."""
    host, port = parts.hostname or "", parts.port
    known = parts.scheme in DEFAULT_PORTS or parts.scheme in SOCKS
    named = re.fullmatch(r"[a-z0-9_.-]+", host) or _address(host)
    beyond = parts.path.strip("/") or parts.query or parts.fragment
    if not (known and named) or beyond or port == 0:
        raise ValueError
    for secret in (parts.username, parts.password):
        unquote(secret or "", errors="strict")  # UnicodeDecodeError is a ValueError


def _proxy(given: _Given) -> Proxy:
    parts = given.parts
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    where = f"{host}:{parts.port or DEFAULT_PORTS[parts.scheme]}"
    user = ""
    if parts.username is not None:
        # Encoded in the one form that both transports decode alike.
        secrets = (quote(unquote(secret or ""), safe="") for secret in (parts.username, parts.password))
        user = ":".join(secrets) + "@"
    return Proxy(given.variable, f"{parts.scheme}://{user}{where}", f"{parts.scheme}://{where}")


def _excluded(host: str, port: int, environ: Mapping[str, str]) -> str:
    """Return the variable that excludes the host from proxying; empty if none does."""
    variable, text = _value("no", environ)
    address = _address(host)
    entries = re.split(r"[\s,]+", text.lower())
    return variable if any(_matches(entry, host, address, port) for entry in entries) else ""


def _matches(entry: str, host: str, address: Address | None, port: int) -> bool:
    if entry == "*":
        return True
    name, wanted = _entry(entry.rpartition("://")[2])
    if wanted not in ("", str(port)):
        return False
    if address is None:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(re.sub(r"[\[\]]", "", name), strict=False)
    except ValueError:
        return False


def _entry(text: str) -> tuple[str, str]:
    """Return the host or network of an entry, and its port; empty: any."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(\d+))?", text)
    if bracketed:
        return bracketed[1], bracketed[2] or ""
    if text.count(":") == 1:
        name, _, port = text.partition(":")
        return name, port
    return text, ""


def _address(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
