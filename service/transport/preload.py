"""A connection that comes to nothing, so that httpx imports at the start what it imports at the first one.

An import opens files. Where the process has none left, the first POST would fail as a bug of ours and not as
what it is. The libraries choose and import their parts by themselves, so they are made to, and not imported
by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx

TIMEOUT_S = 2.0


async def rehearse() -> None:
    """Fails to connect to a port that nobody listens on, by a name: resolvers have parts of their own."""
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().getaddrinfo("localhost", None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://localhost:{taken.getsockname()[1]}"
        async with httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S, verify=False) as client:  # noqa: S501
            with contextlib.suppress(httpx.HTTPError):
                await client.post(url, content=b"")
