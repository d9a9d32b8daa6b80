"""One HTTP POST, answered by server-sent events: the channel for one exchange.

Owns the request, the response stream and how their failures are told. Must never know what the events say.
There is no retry here: whether a turn is sent again is the replay policy's to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import httpx

from service.domain.errors import Reason, TurnError
from service.runtime.paced_loop import Pace
from service.telemetry import turns
from service.transport.channel import CLOSE_TIMEOUT_S
from service.transport.connecting import Connecting
from service.wire import error_classifier
from service.wire.bounds import MAX_MESSAGE_BYTES
from service.wire.sse import SseDecoder

CANNOT_CONNECT = "cannot connect over HTTP"
END_OF_BODY_S = 0.05
"""How long the end of the body may take behind the last event, for its connection to serve again."""

PIECE_BYTES = 256 * 1024
"""A larger body is sent in pieces: each layer below makes a copy of what it is given."""

ERROR_BODY_BYTES = 64 * 1024
"""More of an error's body is not read."""

CHUNK_BYTES = 64 * 1024
"""How much is searched for events at once: 5 ms, if it is all line ends."""

HELD_S = 0.01
"""How long chunks are read one after the other before the loop has its turn. httpx waits for the socket
alone: what it holds already (a read may hold thousands of chunks of one byte) it gives at once.
"""

logger = logging.getLogger("service.line")


class Post:
    """A channel over HTTP."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        headers: Mapping[str, str],
        pace: Pace,
        connecting: Connecting,
    ) -> None:
        self._client = client
        self._connecting = connecting
        self._pace = pace
        self._taken_at = 0.0
        self._url = url
        self._headers = headers
        self._body: bytes | bytearray = b""
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._chunk = b""
        self._turn_at = 0.0
        self._sse = SseDecoder()
        self._ended = False
        self._writing = _Writing()

    @property
    def open(self) -> bool:
        return not self._ended

    async def settle(self) -> None:
        """Nothing is open yet."""

    async def send(self, data: bytes | bytearray, within_s: float) -> None:
        # HTTP gives its answer's head only with the first event, so writing and waiting for that are one step
        # there.
        self._body = data
        # Upstreams echo instructions and tools, and the largest requests come here.
        self._sse = SseDecoder(MAX_MESSAGE_BYTES + len(data))

    async def receive(self, within_s: float, *, may_wait: bool = False) -> list[str | bytes]:
        if may_wait and (delay_s := self._pace.delay_s):
            await asyncio.sleep(self._taken_at + delay_s - time.monotonic())
        async with asyncio.timeout(within_s):
            frames = await self._frames()
        self._taken_at = time.monotonic()
        return frames

    async def _frames(self) -> list[str | bytes]:
        chunks = self._chunks = self._chunks or await self._post()
        frames: list[str | bytes] = []
        while not frames:
            if self._ended:
                raise TurnError(
                    Reason.CONNECTION_LOST, "the upstream's answer ended without a terminal event"
                )
            try:
                frames.extend(self._sse.feed(await self._next(chunks)))
            except StopAsyncIteration:
                self._ended = True
                frames.extend(self._sse.close())
            except httpx.HTTPError as exc:
                raise _lost(exc) from exc
        return frames

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes:
        """The next bytes, at most `CHUNK_BYTES`. Raises StopAsyncIteration behind the last."""
        if time.monotonic() - self._turn_at > HELD_S:
            await asyncio.sleep(0)
            self._turn_at = time.monotonic()
        chunk = self._chunk or await anext(chunks)
        self._chunk = chunk[CHUNK_BYTES:]
        return chunk[:CHUNK_BYTES]

    async def _post(self) -> AsyncIterator[bytes]:
        headers = {**self._headers, **turns.trace_headers()}
        body, self._body = self._body, b""
        content: bytes | AsyncIterator[bytes]
        if len(body) > PIECE_BYTES:
            headers["Content-Length"] = str(len(body))
            content = _pieces(body)
        else:
            content = bytes(body)
        del body
        request = self._client.build_request(
            "POST", self._url, content=content, headers=headers, extensions={"trace": self._writing.note}
        )
        try:
            response = await self._sent(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as exc:
            raise self._connecting.failed(CANNOT_CONNECT, exc) from exc
        except httpx.WriteTimeout as exc:
            raise TurnError(
                Reason.TIMEOUT, "writing the request took too long (TRUNKLINE_SEND_TIMEOUT_S)"
            ) from exc
        except httpx.HTTPError as exc:
            if not self._writing.began:  # a proxy that hung up over its CONNECT
                raise self._connecting.failed(CANNOT_CONNECT, exc) from exc
            raise _lost(exc) from exc
        if self._connecting.proxied and response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            # Without TLS the proxy answers where the upstream does; this is never the upstream's to say.
            raise self._connecting.refused_by_proxy(CANNOT_CONNECT, response.status_code)
        chunks = self._chunks = response.aiter_raw()
        if response.status_code != httpx.codes.OK:
            raise self._connecting.answered(await _refusal(response, chunks))
        if encoded := error_classifier.encoded(response.headers):
            raise encoded
        kind = response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            message = f"the upstream answered with {kind[:100] or 'no type'}, not an event stream"
            raise TurnError(Reason.PROTOCOL_ERROR, message)
        return chunks

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """The head of the answer.

        httpx loses connections that it is about to close when asyncio cancels it. So it works in a task of
        its own, which a scope of anyio's ends: that one spares the closing.
        """
        scope = anyio.CancelScope()

        async def send() -> None:
            with scope:
                self._response = await self._client.send(request, stream=True)

        sending = asyncio.ensure_future(send())
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            scope.cancel()
            await asyncio.wait([sending])
            raise
        assert self._response is not None, "only a cancellation ends it"
        return self._response

    async def close(self, *, ended: bool = False) -> None:
        """Ends the exchange: an answer that is not at its end stops here. Bounded by `CLOSE_TIMEOUT_S`.

        `ended`: its last event was read, and only the end of the body is missing.
        """
        if self._response is None:
            return
        # In a task of its own, too, and who is cancelled still waits for it.
        closing = asyncio.ensure_future(self._close(self._response, ended=ended))
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    async def _close(self, response: httpx.Response, *, ended: bool) -> None:
        try:
            if ended:
                await self._end_of_body()
        finally:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await response.aclose()
                await self._end_of_iteration()
            # The one it had holds it, and the connection: both would wait for the collector.
            response.stream = httpx.ByteStream(b"")

    async def _end_of_body(self) -> None:
        assert self._chunks is not None, "an event was read"
        try:
            # Not a timeout of asyncio's, which could hit httpx in the middle of its closing.
            with anyio.move_on_after(END_OF_BODY_S):
                async for _ in self._chunks:
                    pass
        except httpx.HTTPError:
            pass  # The connection closes, as it does in the middle of an answer.

    async def _end_of_iteration(self) -> None:
        """Ends the iterators of httpx, which are generators one within the other, none of which closes the
        next: left in the middle of a body they would wait for the collector, and be ended by tasks of its
        making. The connection is closed, so reading on fails at once, through all of them.
        """
        if self._chunks is not None:
            with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
                async for _ in self._chunks:
                    pass


class _Writing:
    """How far the writing of the request is, as httpx reports it on the way: waiting for the head, one would
    learn of it too late. An object of its own, since the response keeps it, and would keep the post.
    """

    def __init__(self) -> None:
        self.began = False

    async def note(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase.endswith("send_request_headers.started"):
            # A proxy's CONNECT goes before the request, and reports the same of itself.
            self.began = info["request"].method != b"CONNECT"
        elif self.began and phase.endswith("send_request_body.complete"):
            turns.sent()


async def _pieces(body: bytes | bytearray) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), PIECE_BYTES):
        yield bytes(view[start : start + PIECE_BYTES])


async def _refusal(response: httpx.Response, chunks: AsyncIterator[bytes]) -> TurnError:
    body = b""
    try:
        # As it comes: what is encoded is not read, since a few bytes of it may be gigabytes.
        async for chunk in chunks:
            body += chunk
            if len(body) > ERROR_BODY_BYTES or error_classifier.encoding_of(response.headers):
                break
    except httpx.HTTPError:
        pass  # The status alone says enough.
    return error_classifier.from_http(
        response.status_code, response.headers, body[:ERROR_BODY_BYTES], continuing=False, now=time.time()
    )


def _lost(exc: httpx.HTTPError) -> TurnError:
    logger.info("lost over HTTP", extra={"error": error_classifier.in_log(exc)})
    return TurnError(Reason.CONNECTION_LOST, f"the upstream connection broke ({type(exc).__name__})")
