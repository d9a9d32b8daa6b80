"""One POST that one JSON object answers, and what becomes of it when it fails, waits or is cancelled."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from service.config.settings import load
from service.domain.errors import Reason, TurnError
from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest, Message, Role, TextPart
from service.domain.tenant import Caller
from service.transport.compaction import CompactionExchange
from service.transport.settings import UpstreamSettings
from service.transport.upstream import Upstream
from tests.unit.transport.conftest import PATIENCE_S

SAID = CompletionRequest("s", "m", (Message(Role.USER, (TextPart("Hello."),)),))
ONE = Caller("one")
ANSWER = {
    "id": "resp_1",
    "object": "response.compaction",
    "output": [{"type": "compaction", "encrypted_content": "s"}],
}


class Server:
    """Answers each POST with `body`, after `wait` if it is set."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.body = json.dumps(ANSWER)
        self.wait: asyncio.Event | None = None
        self.begins = False
        """Whether it waits in the middle of its answer, not before."""
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.peers: set[object] = set()
        self.asked, self.left = asyncio.Event(), asyncio.Event()

    async def post(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        self.bodies.append(await request.read())
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        self.asked.set()
        try:
            if self.wait is not None and self.begins:
                answer = web.StreamResponse(headers={"content-type": "application/json"})
                await answer.prepare(request)
                await answer.write(b"{")
            if self.wait is not None:
                await self.wait.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        return web.Response(status=self.status, text=self.body, content_type="application/json")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.add_routes([web.post("/v1/responses/compact", server.post)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


def upstream_at(url: str, **settings: str) -> Upstream:
    environment = {f"TRUNKLINE_{name}": value for name, value in settings.items()}
    return Upstream(
        load({"TRUNKLINE_UPSTREAM_URL": url, "OPENAI_API_KEY": "the-key"} | environment).part(
            UpstreamSettings
        )
    )


@pytest.fixture
async def upstream(server) -> AsyncIterator[Upstream]:
    upstream = upstream_at(server.url)
    yield upstream
    await upstream.close()


async def failing(exchange: CompactionExchange) -> TurnError:
    with pytest.raises(TurnError) as caught:
        await exchange.answer()
    return caught.value


async def test_a_request_is_answered_and_its_connection_serves_the_next(server, upstream):
    for number in range(2):
        exchange = await upstream.compaction(SAID, ONE, {"traceparent": "00-1"})
        assert not exchange.dispatched
        answer = await exchange.answer()
        assert (answer.response_id, len(answer.messages)) == ("resp_1", 1)
        assert exchange.dispatched
        assert exchange.bytes_sent == len(server.bodies[number])
    sent = server.headers[0]
    assert (sent["Authorization"], sent["Accept"], sent["traceparent"]) == (
        "Bearer the-key",
        "application/json",
        "00-1",
    )
    assert len(server.peers) == 1
    prepared = await upstream.prepare(SAID, "one")
    key = json.loads(prepared.settings)["prompt_cache_key"]
    assert json.loads(server.bodies[0])["prompt_cache_key"] == key, "that of the session's turns"


async def test_a_large_answer_is_read_in_a_thread(server, upstream):
    server.body = json.dumps(ANSWER | {"more": "x" * LARGE_BYTES})
    answer = await (await upstream.compaction(SAID, ONE)).answer()
    assert answer.size > LARGE_BYTES


async def test_a_refusal_has_its_reason_and_was_sent(server, upstream):
    server.status, server.body = 404, "not found"
    exchange = await upstream.compaction(SAID, ONE)
    error = await failing(exchange)
    assert (error.reason, error.retryable, exchange.dispatched) == (Reason.UPSTREAM_ERROR, False, True)
    assert "the upstream has no compaction" in error.message


async def test_where_nobody_listens_nothing_was_sent():
    upstream = upstream_at("http://127.0.0.1:9/v1")
    exchange = await upstream.compaction(SAID, ONE)
    assert (await failing(exchange)).reason is Reason.CONNECT_FAILED
    assert not exchange.dispatched
    await upstream.close()


@pytest.mark.parametrize("begins", [False, True], ids=["nothing", "half an answer"])
async def test_the_wait_has_the_longer_bound_of_a_first_event(server, begins, monkeypatch):
    server.begins = begins
    upstream = upstream_at(server.url, FIRST_EVENT_TIMEOUT_S="10", FIRST_EVENT_LIMIT_S="1000")
    server.wait = asyncio.Event()
    asking = asyncio.create_task(failing(await upstream.compaction(SAID, ONE)))
    await asyncio.wait_for(server.asked.wait(), PATIENCE_S)
    later = time.monotonic() + 1000
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: later)
        error = await asking
    assert error.reason is Reason.TIMEOUT
    assert "longer than 1000 s (TRUNKLINE_FIRST_EVENT_LIMIT_S)" in error.message
    await asyncio.wait_for(server.left.wait(), PATIENCE_S)
    await upstream.close()


@pytest.mark.parametrize("begins", [False, True], ids=["nothing", "half an answer"])
async def test_cancel_closes_the_connection_first(server, upstream, begins):
    server.begins = begins
    server.wait = asyncio.Event()
    asking = asyncio.create_task((await upstream.compaction(SAID, ONE)).answer())
    await asyncio.wait_for(server.asked.wait(), PATIENCE_S)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(server.left.wait(), PATIENCE_S)
