"""Fetch one document that a URL serves: `Document`."""

from __future__ import annotations

import asyncio
import ssl

import httpx

from service.domain.proxy import ProxyRoute

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Document:
    """A document of at most `max_bytes`, which a server has `limit_s` seconds to send."""

    def __init__(
        self, url: str, route: ProxyRoute, tls: ssl.SSLContext, *, max_bytes: int, limit_s: float
    ) -> None:
        self._url = url
        self._route = route
        self._tls = tls
        self._max_bytes = max_bytes
        self._limit_s = limit_s

    def __repr__(self) -> str:
        return f"Document({self._url})"

    async def fetch(self) -> bytes:
        """Return the content, over a connection of its own. Redirects are not followed.

        Raises ValueError, in words that an operator can use. Cancellation: the connection is closed.
        """
        try:
            async with asyncio.timeout(self._limit_s), self._client() as client:
                return await self._read(client)
        except TimeoutError as exc:
            raise ValueError(f"{self._url} did not answer within {self._limit_s:g} s") from exc
        except (httpx.HTTPError, OSError) as exc:
            raise ValueError(f"{self._url} cannot be read: {type(exc).__name__} {exc}".rstrip()) from exc

    def _client(self) -> httpx.AsyncClient:
        proxy = self._route.proxy
        through = None
        if proxy is not None:
            through = httpx.Proxy(proxy.url, ssl_context=self._tls if proxy.secure else None)
        return httpx.AsyncClient(
            headers=HEADERS,
            verify=self._tls,
            proxy=through,
            trust_env=False,  # the route was chosen from it at the start
            timeout=None,  # noqa: S113  the whole fetch has one
        )

    async def _read(self, client: httpx.AsyncClient) -> bytes:
        data = bytearray()
        async with client.stream("GET", self._url) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"{self._url} answers with the status {response.status_code}")
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > self._max_bytes:
                    raise ValueError(f"{self._url} is larger than {self._max_bytes} bytes")
        return bytes(data)
