"""Send one HTTP POST that is answered by server-sent events: `HttpStream`, a channel for one exchange.

There is no retry here: the replay policy decides whether a turn is sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import anyio
import httpx

from service.domain.errors import Reason, TurnError
from service.transport.channel import CLOSE_TIMEOUT_S
from service.transport.connecting import Connecting
from service.transport.pace import Pace
from service.transport.receive_buffer import now
from service.wire import error_classifier
from service.wire.answer_body import AnswerBody
from service.wire.bounds import MAX_MESSAGE_BYTES
from service.wire.error_text import in_log

if TYPE_CHECKING:
    from service.telemetry.turn_publisher import TurnTrace

CANNOT_CONNECT = "cannot connect over HTTP"
END_OF_BODY_S = 0.05
"""How long the end of the body may take after the last event, for its connection to be reused."""

PIECE_BYTES = 256 * 1024
"""A larger body is sent in pieces, since each layer below copies what it is given."""

ERROR_BODY_BYTES = 64 * 1024
"""More of an error's body is not read."""

CHUNK_BYTES = 64 * 1024
"""How much is searched for events at once: 5 ms if it consists of line ends."""

YIELD_AFTER_S = 0.01
"""How long chunks are read before the loop runs other tasks. httpx suspends only for the socket: chunks that
it has already read, and there may be thousands of one byte, it returns at once.
"""

logger = logging.getLogger("service.line")


class HttpStream:
    """Carry one exchange over an HTTP POST. `continuing`: the request has a previous_response_id."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        headers: Mapping[str, str],
        pace: Pace,
        connecting: Connecting,
        *,
        continuing: bool = False,
        trace: TurnTrace | None = None,
    ) -> None:
        self._client = client
        self._continuing = continuing
        self._connecting = connecting
        self._trace = trace
        self._pace = pace
        self.heard_at = 0.0
        self._received_at = 0.0
        self._url = url
        self._headers = headers
        self._body: bytes | bytearray = b""
        self._response: httpx.Response | None = None
        self._chunks: AsyncIterator[bytes] | None = None
        self._chunk = b""
        self._yielded_at = 0.0
        self._limit = MAX_MESSAGE_BYTES
        self._answer: AnswerBody | None = None
        self._ended = False
        self._write_trace = _WriteTrace()

    @property
    def open(self) -> bool:
        return not self._ended

    @property
    def received_any(self) -> bool:
        return self._response is not None

    @property
    def sent_at(self) -> float | None:
        return self._write_trace.ended_at

    async def settle(self) -> None:
        """Do nothing: no connection is open yet."""

    async def send(self, data: bytes | bytearray, within_s: float) -> None:
        # The response's head arrives with the first event, so `receive` writes and waits in one step.
        self._body = data
        # Upstreams echo instructions and tools, and the largest requests are sent this way.
        self._limit = MAX_MESSAGE_BYTES + len(data)

    async def receive(self, within_s: float, *, may_wait: bool = False) -> list[str | bytes]:
        if may_wait and (delay_s := self._pace.delay_s):
            await asyncio.sleep(self._received_at + delay_s - time.monotonic())
        async with asyncio.timeout(within_s):
            frames = await self._frames()
        self._received_at = time.monotonic()
        return frames

    async def _frames(self) -> list[str | bytes]:
        frames: list[str | bytes] = []
        if self._ended:
            raise TurnError(Reason.CONNECTION_LOST, "the upstream's answer ended without a terminal event")
        if self._chunks is None or self._answer is None:
            self._chunks, self._answer = await self._post()
        else:
            try:
                frames.extend(self._answer.feed(await self._next(self._chunks)))
            except StopAsyncIteration:
                self._ended = True
                frames.extend(self._answer.close())
            except httpx.HTTPError as exc:
                raise _lost(exc) from exc
        self.heard_at = now()
        return frames

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes:
        """The next bytes, at most `CHUNK_BYTES`. Raises StopAsyncIteration after the last."""
        if time.monotonic() - self._yielded_at > YIELD_AFTER_S:
            await asyncio.sleep(0)
            self._yielded_at = time.monotonic()
        chunk = self._chunk or await anext(chunks)
        self._chunk = chunk[CHUNK_BYTES:]
        return chunk[:CHUNK_BYTES]

    async def _post(self) -> tuple[AsyncIterator[bytes], AnswerBody]:
        headers = self._all_headers()
        body, self._body = self._body, b""
        content: bytes | AsyncIterator[bytes]
        if len(body) > PIECE_BYTES:
            headers["Content-Length"] = str(len(body))
            content = _pieces(body)
        else:
            content = bytes(body)
        del body
        request = self._client.build_request(
            "POST", self._url, content=content, headers=headers, extensions={"trace": self._write_trace.note}
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
            if not self._write_trace.began:  # a proxy that hung up over its CONNECT
                raise self._connecting.failed(CANNOT_CONNECT, exc) from exc
            raise _lost(exc) from exc
        if self._connecting.proxied and response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
            # Without TLS the proxy answers where the upstream does; this is never the upstream's to say.
            raise self._connecting.refused_by_proxy(CANNOT_CONNECT, response.status_code)
        chunks = self._chunks = response.aiter_raw()
        if response.status_code != httpx.codes.OK:
            raise self._connecting.answered(await _refusal(response, chunks, continuing=self._continuing))
        if encoded := error_classifier.encoded(response.headers):
            raise encoded
        return chunks, AnswerBody(self._limit, response.headers)

    def _all_headers(self) -> dict[str, str]:
        return {**self._headers, **(self._trace.headers() if self._trace is not None else {})}

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the response, its head only.

        httpx leaks connections that it is about to close when asyncio cancels it. So it runs in a task of its
        own, which is cancelled by an anyio scope: that does not interrupt the closing.
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

    async def finish(self, *, orderly: bool) -> None:
        """End the exchange, within `CLOSE_TIMEOUT_S`; an answer that is not complete is cut off.

        `orderly`: its last event was read, and only the end of the body is missing.

        Cancellation: raised once the response is closed.
        """
        self._trace = None  # its record refers to this exchange
        if self._response is None:
            return
        # In a task of its own, too; a caller that is cancelled waits for it.
        closing = asyncio.ensure_future(self._close(self._response, orderly=orderly))
        try:
            await asyncio.shield(closing)
        except asyncio.CancelledError:
            await asyncio.wait([closing])
            raise

    async def _close(self, response: httpx.Response, *, orderly: bool) -> None:
        try:
            if orderly:
                await self._end_of_body()
        finally:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await response.aclose()
                await self._end_of_iteration()
            # Its stream refers to it and to the connection: a cycle for the garbage collector.
            response.stream = httpx.ByteStream(b"")

    async def _end_of_body(self) -> None:
        assert self._chunks is not None, "an event was read"
        try:
            # Not a timeout of asyncio, which could cancel httpx while it closes.
            with anyio.move_on_after(END_OF_BODY_S):
                async for _ in self._chunks:
                    pass
        except httpx.HTTPError:
            pass  # The connection closes, as it does in the middle of an answer.

    async def _end_of_iteration(self) -> None:
        """Exhaust the iterators of httpx.

        They are nested generators, none of which closes the next: left in the middle of a body they would
        wait for the garbage collector, and asyncio would close each in a task. The connection is closed, so
        reading on fails at once, through all of them.
        """
        if self._chunks is not None:
            with contextlib.suppress(httpx.HTTPError, httpx.StreamError):
                async for _ in self._chunks:
                    pass


class _WriteTrace:
    """Note when the request is written, as httpx traces it: the response's head would be too late.

    An object of its own, since the response refers to it and would keep the `HttpStream` alive.
    """

    def __init__(self) -> None:
        self.began = False
        self.ended_at: float | None = None

    async def note(self, phase: str, info: Mapping[str, Any]) -> None:
        if phase.endswith("send_request_headers.started"):
            # A proxy's CONNECT precedes the request and is traced by the same names.
            self.began = info["request"].method != b"CONNECT"
        elif self.began and phase.endswith("send_request_body.complete"):
            self.ended_at = time.monotonic()


async def _pieces(body: bytes | bytearray) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), PIECE_BYTES):
        yield bytes(view[start : start + PIECE_BYTES])


async def _refusal(response: httpx.Response, chunks: AsyncIterator[bytes], *, continuing: bool) -> TurnError:
    body = b""
    try:
        # Undecoded: a few compressed bytes may expand to gigabytes.
        async for chunk in chunks:
            body += chunk
            if len(body) > ERROR_BODY_BYTES or error_classifier.encoding_of(response.headers):
                break
    except httpx.HTTPError:
        pass  # the status is enough
    start = body[:ERROR_BODY_BYTES]
    return error_classifier.from_http(
        response.status_code, response.headers, start, continuing=continuing, now=time.time()
    )


def _lost(exc: httpx.HTTPError) -> TurnError:
    logger.info("lost over HTTP", extra={"error": in_log(exc)})
    return TurnError(Reason.CONNECTION_LOST, f"the upstream connection broke ({type(exc).__name__})")
