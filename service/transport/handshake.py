"""Open a WebSocket to the upstream: `connect_to`."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import connect

from service.domain.proxy import Proxy
from service.transport.channel import CLOSE_TIMEOUT_S
from service.transport.frames import SplittingConnection
from service.transport.receive_buffer import BufferedConnection
from service.wire.bounds import MAX_MESSAGE_BYTES

HAPPY_EYEBALLS_DELAY_S = 0.25
"""After this the next address of a name is tried as well, where the first does not answer (RFC 8305, section
5). The connections of HTTP streams do the same.
"""


class _Dialer(connect):
    """`connect` without redirects: the key goes to the host that was configured, and to no other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def connect_to(
    url: str,
    headers: Mapping[str, str],
    tls: ssl.SSLContext,
    proxy: Proxy | None = None,
    *,
    user_agent: str | None = None,
    splits_frames: bool = True,
) -> BufferedConnection:
    """Connect, through the proxy if there is one, and complete the handshake.

    Raises what `websockets` and the system raise.

    Cancellation: the socket is closed.
    """
    secure: dict[str, Any] = {}
    if url.startswith("wss:"):
        secure["ssl"] = tls
    if proxy is not None and proxy.secure:
        secure["proxy_ssl"] = tls
    connection = await _Dialer(
        url,
        additional_headers=headers,
        user_agent_header=user_agent,
        proxy=proxy.url if proxy is not None else None,
        happy_eyeballs_delay=_next_address_after(proxy.url if proxy is not None else url),
        create_connection=SplittingConnection if splits_frames else BufferedConnection,
        compression=None,
        max_size=MAX_MESSAGE_BYTES,
        open_timeout=None,
        ping_interval=None,
        close_timeout=CLOSE_TIMEOUT_S,
        **secure,
    )
    assert isinstance(connection, BufferedConnection)
    return connection


def _next_address_after(url: str) -> float | None:
    """Returns None for a host that is an address: there is no next one, and asyncio's race between addresses,
    cancelled at the moment when one is connected, leaves its socket to the garbage collector.
    """
    try:
        ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return HAPPY_EYEBALLS_DELAY_S
    return None
