"""One POST: its answer as frames, however it is cut; and what is no answer."""

import asyncio
import gc
import gzip
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from service.config.settings import load
from service.domain.errors import Reason, TurnError
from service.domain.history import full_plan
from service.domain.messages import CompletionRequest, Message, Role, TextPart
from service.domain.plan import ContextReason
from service.transport import http_stream
from service.transport.http_stream import ERROR_BODY_BYTES, HttpStream
from service.transport.settings import UpstreamSettings
from service.transport.upstream import Upstream
from tests.ports import free_ports
from tests.unit.transport.conftest import PATIENCE_S
from tests.unit.wire.server_events import created, ended, text_delta

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
STREAM = {"content-type": "text/event-stream"}
SAID = (created(), text_delta("Hello."), ended())


def sse(*events: str) -> bytes:
    return b"".join(b"data: " + event.encode() + b"\n\n" for event in events)


class Server:
    """Answers each POST as the test says."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: Answer = lambda request: streamed(request, sse(*SAID))
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.peers: list[object] = []
        self.left = asyncio.Event()

    async def post(self, request: Any) -> web.StreamResponse:
        self.requests.append(request)
        self.peers.append(request.transport.get_extra_info("peername"))
        self.bodies.append(await request.read())
        try:
            return await self.answer(request)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise

    @property
    def connections(self) -> int:
        return len(set(self.peers))


async def streamed(request: web.Request, *chunks: bytes, **headers: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={**STREAM, **headers})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
        await asyncio.sleep(0)
    await response.write_eof()
    return response


def status(code: int, body: object = None, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=code, text=text, headers=headers)

    return answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.add_routes([web.post("/v1/responses", server.post)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


@pytest.fixture
async def upstream(server) -> AsyncIterator[Upstream]:
    upstream = Upstream(
        load({"TRUNKLINE_UPSTREAM_URL": server.url, "OPENAI_API_KEY": "the-key"}).part(UpstreamSettings)
    )
    yield upstream
    await upstream.close()


async def frames(upstream: Upstream, count: int = 1, request: bytes = b"{}") -> list[str | bytes]:
    """So many of the frames that one POST is answered with."""
    post = HttpStream(
        upstream._http, upstream._url, upstream._keys.headers(None), upstream.pace, upstream._connecting
    )
    read: list[str | bytes] = []
    try:
        await post.send(request, PATIENCE_S)
        while len(read) < count:
            # No `wait_for`: that of Python 3.11 loses a cancellation that arrives together with the frame.
            async with asyncio.timeout(PATIENCE_S):
                read += await post.receive(PATIENCE_S)
    finally:
        await post.finish(orderly=False)
    return read


async def failure(upstream):
    with pytest.raises(TurnError) as caught:
        await frames(upstream, 100)
    return caught.value


async def converse(upstream: Upstream, events: list[object]) -> None:
    """One exchange by POST: its events are added."""
    said = CompletionRequest("s", "m", (Message(Role.USER, (TextPart("Hello."),)),))
    prepared = await upstream.prepare(said)
    async with await upstream.over_http(prepared, full_plan(prepared.items, ContextReason.SSE)) as exchange:
        while not exchange.finished:
            events += await exchange.receive()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
async def test_an_answer_is_the_same_however_it_is_cut(server, upstream, size):
    data = b"\xef\xbb\xbf: comment\r\nevent: x\r\n" + sse(*SAID, text_delta("你好 \u2028 \x85"))
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    server.answer = lambda request: streamed(request, *chunks)
    assert await frames(upstream, 4) == [*SAID, text_delta("你好 \u2028 \x85")]


async def test_what_arrives_together_is_handed_on_together(server, upstream):
    post = HttpStream(
        upstream._http, upstream._url, upstream._keys.headers(None), upstream.pace, upstream._connecting
    )
    await post.send(b"{}", PATIENCE_S)
    assert await post.receive(PATIENCE_S) == []  # the head
    assert await post.receive(PATIENCE_S) == list(SAID)
    await post.finish(orderly=False)


async def test_the_last_event_may_lack_its_blank_line(server, upstream):
    server.answer = lambda request: streamed(request, sse(*SAID).rstrip(b"\n"))
    assert await frames(upstream, 3) == list(SAID)


async def test_the_request_is_what_was_given_with_the_key(server, upstream):
    post = HttpStream(
        upstream._http, upstream._url, upstream._keys.headers(None), upstream.pace, upstream._connecting
    )
    await post.send(b'{"model":"m"}', PATIENCE_S)
    await post.receive(PATIENCE_S)
    await post.finish(orderly=False)
    (request,) = server.requests
    assert server.bodies == [b'{"model":"m"}']
    assert request.headers["authorization"] == "Bearer the-key"
    assert request.headers["content-type"] == "application/json"
    assert "text/event-stream" in request.headers["accept"]


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (400, "invalid_request_error", Reason.INVALID_REQUEST),
        (401, "invalid_request_error", Reason.UPSTREAM_AUTH),
        (403, "", Reason.UPSTREAM_AUTH),
        (413, "", Reason.MESSAGE_TOO_BIG),
        (429, "", Reason.RATE_LIMITED),
        (500, "server_error", Reason.UPSTREAM_ERROR),
        (503, "", Reason.UPSTREAM_ERROR),
    ],
)
async def test_a_status_says_what_is_wrong(server, upstream, code, kind, reason):
    server.answer = status(code, {"error": {"message": "So it is.", "type": kind, "code": None}})
    error = await failure(upstream)
    assert (error.reason, error.upstream.status) == (reason, code)
    assert "So it is." in error.message


async def test_a_status_says_when_to_come_back(server, upstream):
    server.answer = status(429, {"error": {"message": "Slow down."}}, **{"retry-after": "7"})
    assert (await failure(upstream)).retry_after == 7


async def test_a_page_of_a_proxy_is_reported_by_its_status(server, upstream):
    server.answer = status(502, "<html><body>Bad Gateway</body></html>", **{"content-type": "text/html"})
    error = await failure(upstream)
    assert (error.reason, error.upstream.status) == (Reason.UPSTREAM_ERROR, 502)
    assert "<html>" not in error.message


async def test_an_error_that_never_ends_is_read_no_further_than_needed(server, upstream):
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 10_000)

    server.answer = endless
    error = await failure(upstream)
    assert error.reason is Reason.UPSTREAM_ERROR
    assert len(error.message) < ERROR_BODY_BYTES
    await asyncio.wait_for(server.left.wait(), PATIENCE_S)


@pytest.mark.parametrize("code", [200, 400])
async def test_an_answer_that_is_compressed_all_the_same_is_refused(server, upstream, code):
    """We do not ask for it, and a few bytes of it may be gigabytes. The status of an error still counts."""
    body = sse(*SAID) if code == 200 else json.dumps({"error": {"message": "So it is."}}).encode()

    async def compressed(request: web.Request) -> web.Response:
        assert "gzip" not in request.headers.get("accept-encoding", "")
        headers = {**STREAM, "content-encoding": "gzip"}
        return web.Response(status=code, body=gzip.compress(body), headers=headers)

    server.answer = compressed
    error = await failure(upstream)
    assert error.reason is (Reason.PROTOCOL_ERROR if code == 200 else Reason.INVALID_REQUEST)
    assert "Content-Encoding gzip, which was not asked for" in error.message


async def test_an_event_may_echo_the_request_however_large_it_is(server, upstream, monkeypatch):
    monkeypatch.setattr(http_stream, "MAX_MESSAGE_BYTES", 1000)
    event = "x" * 20_000

    async def echo(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=sse(event), headers=STREAM)

    server.answer = echo
    assert await frames(upstream, request=b" " * len(event)) == [event]
    with pytest.raises(TurnError, match="an event of more than 19001 bytes"):
        await frames(upstream, request=b" " * (len(event) - 1999))


async def test_content_encoding_identity_is_none(server, upstream):
    async def plain(request: web.Request) -> web.Response:
        return web.Response(body=sse(*SAID), headers={**STREAM, "content-encoding": "Identity"})

    server.answer = plain
    assert await frames(upstream, 3) == list(SAID)


async def test_an_answer_that_is_no_stream_makes_no_sense(server, upstream):
    server.answer = status(200, {"id": "resp_1"}, **{"content-type": "application/json"})
    error = await failure(upstream)
    assert error.reason is Reason.PROTOCOL_ERROR
    assert "application/json" in error.message


async def test_an_answer_that_ends_too_soon_is_lost(server, upstream):
    server.answer = lambda request: streamed(request, sse(created(), text_delta("Half")))
    events: list[object] = []
    with pytest.raises(TurnError) as caught:
        await converse(upstream, events)
    assert len(events) == 2
    assert caught.value.reason is Reason.CONNECTION_LOST
    assert "without a terminal event" in caught.value.message


@pytest.mark.parametrize("at", ["head", "middle"])
async def test_an_answer_that_breaks_off_is_lost(server, upstream, at):
    async def broken(request: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers=STREAM)
        if at == "middle":
            await response.prepare(request)
            await response.write(sse(created()))
        request.transport.abort()
        return response

    server.answer = broken
    error = await failure(upstream)
    assert error.reason is Reason.CONNECTION_LOST


async def test_nobody_listens():
    url = f"http://127.0.0.1:{free_ports(1)[0]}/v1"
    upstream = Upstream(load({"TRUNKLINE_UPSTREAM_URL": url}).part(UpstreamSettings))
    error = await failure(upstream)
    await upstream.close()
    assert error.reason is Reason.CONNECT_FAILED


async def test_a_redirect_is_not_followed(server, upstream):
    """The key goes to the host that was configured, and to no other."""
    server.answer = status(307, "", location=f"{server.url}/responses?again")
    assert (await failure(upstream)).upstream.status == 307
    assert len(server.requests) == 1


async def test_an_exchange_that_is_read_to_its_end_leaves_its_connection_to_the_next(server, upstream):
    """Three turns by SSE: one handshake with the upstream, not three."""
    for _ in range(3):
        events: list[object] = []
        await converse(upstream, events)
        assert len(events) == 3
    assert (len(server.requests), server.connections) == (3, 1)


async def test_an_exchange_that_ends_while_the_upstream_goes_on_closes_its_connection(server, upstream):
    """Its terminal event came; what follows it is not waited for."""

    async def goes_on(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=STREAM)
        await response.prepare(request)
        await response.write(sse(*SAID))
        await asyncio.Event().wait()
        return response

    server.answer = goes_on
    events: list[object] = []
    await asyncio.wait_for(converse(upstream, events), PATIENCE_S)
    assert len(events) == 3
    await asyncio.wait_for(server.left.wait(), PATIENCE_S)


@pytest.mark.parametrize("reported", [0, 1], ids=["before the head", "in the answer"])
async def test_an_exchange_that_is_left_cuts_the_upstream_off(server, upstream, reported):
    begun = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=STREAM)
        if reported:
            await response.prepare(request)
            await response.write(sse(created()))
        begun.set()
        await asyncio.Event().wait()
        return response

    server.answer = silent
    turn = asyncio.create_task(converse(upstream, []))
    await asyncio.wait_for(begun.wait(), PATIENCE_S)
    turn.cancel()
    await asyncio.wait([turn])
    await asyncio.wait_for(server.left.wait(), PATIENCE_S)


@contextmanager
def collected() -> Iterator[list[str]]:
    """The async generators that are left to the garbage collector within the block."""
    before = sys.get_asyncgen_hooks()
    names: list[str] = []

    def finalize(generator):
        names.append(generator.__qualname__)
        assert before.finalizer is not None
        before.finalizer(generator)

    sys.set_asyncgen_hooks(firstiter=before.firstiter, finalizer=finalize)
    try:
        yield names
        gc.collect()
    finally:
        sys.set_asyncgen_hooks(*before)


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=STREAM)
    await response.prepare(request)
    while True:
        await response.write(sse(*SAID) * 100)
        await asyncio.sleep(0)


async def silent(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=STREAM)
    await response.prepare(request)
    await response.write(sse(created()))
    await asyncio.Event().wait()
    return response


@pytest.mark.parametrize("answer", [endless, silent])
async def test_an_answer_that_is_left_leaves_no_generator_to_the_collector(server, upstream, answer):
    server.answer = answer
    with collected() as left:
        await frames(upstream, 1)
        await asyncio.wait_for(server.left.wait(), PATIENCE_S)
    assert left == []


@pytest.mark.parametrize("size", [10, ERROR_BODY_BYTES * 4])
async def test_a_refusal_leaves_no_generator_to_the_collector(server, upstream, size):
    server.answer = status(500, "x" * size)
    with collected() as left:
        await failure(upstream)
    assert left == []


async def test_a_read_that_is_cancelled_leaves_no_generator_to_the_collector(server, upstream):
    server.answer = silent
    with collected() as left:
        reading = asyncio.create_task(frames(upstream, 2))
        while not server.requests:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        reading.cancel()
        await asyncio.wait([reading])
    assert reading.cancelled()
    assert left == []
