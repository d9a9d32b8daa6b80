"""Import at the start what httpx would import with its first connection: `preload`.

An import opens files. When the process has no file descriptor left, the first POST would fail in an import
and be reported as an internal error, not as the shortage that it is. httpx and anyio choose and import their
parts by themselves, so a connection that fails makes them do it; a list of the parts by name would have to
follow each of their versions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx

TIMEOUT_S = 2.0


async def preload() -> None:
    """Fail to connect to a port that nobody listens on, by a name: resolvers have imports of their own.

    Cancellation: the sockets are closed.
    """
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().getaddrinfo("localhost", None)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://localhost:{bound.getsockname()[1]}"
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S, verify=False) as client:  # noqa: S501
            with contextlib.suppress(httpx.HTTPError):
                await client.post(url, content=b"")
