"""Dialling, and what goes over a line: addresses, the key, the gate for frames."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from service import __version__
from service.config.settings import load
from service.domain.errors import Reason, TurnError
from service.domain.history import full_plan
from service.domain.messages import CompletionRequest, Message, Role, TextPart
from service.domain.plan import ContextReason
from service.transport.receive_buffer import now
from service.transport.settings import UpstreamSettings
from service.transport.upstream import Upstream
from tests.unit.transport.conftest import PATIENCE_S, until


def upstream_at(url: str, **settings: str) -> Upstream:
    environment = {f"TRUNKLINE_{name}": value for name, value in settings.items()}
    return Upstream(
        load({"TRUNKLINE_UPSTREAM_URL": url, "OPENAI_API_KEY": "the-key"} | environment).part(
            UpstreamSettings
        )
    )


class Door:
    """A TCP server that reads one handshake and answers it with bytes; None: never."""

    def __init__(self) -> None:
        self.url = ""
        self.reply: bytes | None = None
        self.heads: list[str] = []
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            if self.reply is not None:
                writer.write(self.reply)
            else:
                await reader.read()
        except (OSError, EOFError):
            pass  # the dial ended before its handshake was here
        finally:
            self.left.set()
            writer.close()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door()
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    door.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    yield door
    server.close()
    await server.wait_closed()


def refusal(status: str, *headers: str, body: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", body]).encode()


@asynccontextmanager
async def dialling(url: str, **settings: str) -> AsyncIterator[Upstream]:
    upstream = upstream_at(url, **settings)
    try:
        yield upstream
    finally:
        await upstream.close()


async def failure(url, **settings):
    async with dialling(url, **settings) as upstream:
        with pytest.raises(TurnError) as caught:
            await asyncio.wait_for(upstream.dial(), PATIENCE_S)
    return caught.value


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("401 Unauthorized", Reason.UPSTREAM_AUTH),
        ("404 Not Found", Reason.CONNECT_FAILED),
        ("426 Upgrade Required", Reason.CONNECT_FAILED),
        ("503 Service Unavailable", Reason.CONNECT_FAILED),
        ("200 OK", Reason.CONNECT_FAILED),
    ],
)
async def test_a_refused_handshake_says_by_its_status_what_it_means(door, status, reason):
    door.reply = refusal(status, body='{"error": {"message": "So it is."}}')
    error = await failure(door.url)
    assert (error.reason, error.upstream.status) == (reason, int(status[:3]))
    assert "So it is." in error.message


async def test_a_refused_handshake_says_when_to_come_back(door):
    door.reply = refusal("503 Service Unavailable", "Retry-After: 7")
    assert (await failure(door.url)).retry_after == 7


async def test_a_redirect_is_refused_and_the_key_stays_here(door):
    """301 to another host: nobody there ever hears of it."""
    elsewhere = Door()
    server = await asyncio.start_server(elsewhere.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    door.reply = refusal("301 Moved Permanently", f"Location: ws://127.0.0.1:{port}/v1/responses")
    error = await failure(door.url)
    server.close()
    await server.wait_closed()
    assert (error.reason, error.upstream.status) == (Reason.CONNECT_FAILED, 301)
    assert (len(door.heads), elsewhere.heads) == (1, [])


@pytest.mark.parametrize("reply", [b"SSH-2.0-OpenSSH_9.6\r\n", b"", b"HTTP/1.1 101 Yes\r\n\r\n"])
async def test_what_is_no_handshake_is_a_failure_to_connect(door, reply):
    door.reply = reply
    assert (await failure(door.url)).reason is Reason.CONNECT_FAILED


async def test_nobody_listens(door):
    server = await asyncio.start_server(door.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    error = await failure(f"http://127.0.0.1:{port}/v1")
    assert error.reason is Reason.CONNECT_FAILED
    assert "the-key" not in error.message


async def test_a_host_that_does_not_exist():
    assert (await failure("http://host.invalid/v1")).reason is Reason.CONNECT_FAILED


async def test_a_handshake_that_takes_too_long_is_reported_by_its_name(door):
    error = await failure(door.url, CONNECT_TIMEOUT_S="0.5")
    assert error.reason is Reason.CONNECT_FAILED
    assert "TRUNKLINE_CONNECT_TIMEOUT_S" in error.message
    await asyncio.wait_for(door.left.wait(), PATIENCE_S)


async def test_a_dial_that_is_cancelled_closes_its_socket(door):
    async with dialling(door.url) as upstream:
        dial = asyncio.create_task(upstream.dial())
        await until(lambda: door.heads)
        dial.cancel()
        await asyncio.wait([dial])
        assert dial.cancelled()
        await asyncio.wait_for(door.left.wait(), PATIENCE_S)


async def test_the_handshake_goes_to_the_path_of_responses_and_carries_the_key(door):
    door.reply = refusal("404 Not Found")
    await failure(door.url)
    (head,) = door.heads
    assert head.startswith("GET /v1/responses HTTP/1.1\r\n")
    assert "\r\nAuthorization: Bearer the-key\r\n" in head
    assert "Sec-WebSocket-Extensions" not in head, "compression costs both sides more than it saves"


@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_both_transports_send_the_query_the_headers_and_our_name(door, transport):
    door.reply = refusal("404 Not Found")
    settings = {"UPSTREAM_HEADERS": "OpenAI-Organization=org_1,x-a=b", "UPSTREAM_KEY_HEADER": "api-key"}
    async with dialling(f"{door.url}?api-version=1", **settings) as upstream:
        with suppress(TurnError):  # it is refused, once its head was read
            if transport == "websocket":
                await upstream.dial()
            else:
                prepared = await upstream.prepare(CompletionRequest("s", "m", ()))
                plan = full_plan((), ContextReason.FIRST_TURN)
                async with await upstream.over_http(prepared, plan) as exchange:
                    await exchange.receive()
    (head,) = door.heads
    assert head.partition("\r\n")[0].endswith(" /v1/responses?api-version=1 HTTP/1.1")
    for line in (
        "api-key: the-key",
        "OpenAI-Organization: org_1",
        "x-a: b",
        f"User-Agent: trunkline/{__version__}",
    ):
        assert f"\r\n{line}\r\n" in head
    assert "Authorization" not in head
    assert repr(upstream) == f"Upstream({door.url}/responses)", "a query is not shown"


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__


async def test_without_a_key_none_is_sent(door):
    door.reply = refusal("404 Not Found")
    upstream = Upstream(load({"TRUNKLINE_UPSTREAM_URL": door.url}).part(UpstreamSettings))
    with pytest.raises(TurnError):
        await upstream.dial()
    await upstream.close()
    assert "Authorization" not in door.heads[-1]


async def test_lines_that_are_opened_together_do_not_end_together(peer):
    async with dialling(peer.url.replace("ws", "http"), MAX_AGE_S="1000") as upstream:
        lines = [await upstream.dial() for _ in range(5)]
        ages = [line.expires_at - now() for line in lines]
        for line in lines:
            line.discard()
            await line.closed()
    assert len(set(ages)) == 5
    assert all(890 <= age <= 1000 for age in ages)


@pytest.mark.parametrize(("smaller", "fits"), [(1, True), (0, False), (-1, False)])
async def test_a_frame_as_large_as_a_refused_one_is_not_sent(line, smaller, fits):
    async with dialling("http://127.0.0.1:1/v1") as upstream:
        prepared = await upstream.prepare(
            CompletionRequest("s", "m", (Message(Role.USER, (TextPart("Hello."),)),))
        )
        plan = full_plan(prepared.items, ContextReason.FIRST_TURN)
        size = (await upstream.over_connection(line, prepared, plan)).bytes_sent
        if fits:
            assert (
                await upstream.over_connection(line, prepared, plan, refused=size + smaller)
            ).bytes_sent == size
            return
        with pytest.raises(TurnError) as caught:
            await upstream.over_connection(line, prepared, plan, refused=size + smaller)
        assert caught.value.reason is Reason.MESSAGE_TOO_BIG
        assert f"a frame of {size + smaller} too big" in caught.value.message


@pytest.mark.parametrize(("room", "fits"), [(0, True), (-1, False)])
async def test_a_frame_is_sent_up_to_the_gate_and_no_further(peer, line, room, fits):
    async with dialling("http://127.0.0.1:1/v1") as upstream:
        prepared = await upstream.prepare(
            CompletionRequest("s", "m", (Message(Role.USER, (TextPart("Hello."),)),))
        )
        plan = full_plan(prepared.items, ContextReason.FIRST_TURN)
        size = (await upstream.over_connection(line, prepared, plan)).bytes_sent
    async with dialling("http://127.0.0.1:1/v1", MAX_FRAME_BYTES=str(size + room)) as upstream:
        if fits:
            assert (await upstream.over_connection(line, prepared, plan)).bytes_sent == size
            return
        with pytest.raises(TurnError) as caught:
            await upstream.over_connection(line, prepared, plan)
        assert caught.value.reason is Reason.MESSAGE_TOO_BIG
        assert "TRUNKLINE_MAX_FRAME_BYTES" in caught.value.message
