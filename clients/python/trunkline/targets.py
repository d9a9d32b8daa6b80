"""Whether a gRPC target is on this machine, so that no proxy leads to it.

gRPC follows `grpc_proxy`, `https_proxy` and `http_proxy` even to loopback, where a proxy finds itself.
"""

import ipaddress
import re
from urllib.parse import unquote

# https://github.com/grpc/grpc/blob/master/doc/naming.md
_SOCKET = re.compile(r"(?:unix|unix-abstract|vsock):", re.IGNORECASE)
_SCHEME = re.compile(r"(?:dns:(?://[^/]*/)?|ipv4:|ipv6:)/?", re.IGNORECASE)


def is_local(target: str) -> bool:
    """Whether the target is a Unix socket, `localhost` or a loopback address. Names are not resolved."""
    if _SOCKET.match(target):
        return True
    found = _SCHEME.match(target)
    addresses = unquote(target[found.end() :] if found else target).split(",")
    return all(_is_loopback(_host(address)) for address in addresses)


def _host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
