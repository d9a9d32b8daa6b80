"""What is fetched is bounded in bytes and time, and every failure is said in words."""

import asyncio
import ssl

import pytest

from service.domain.proxy import DIRECT, Proxy, ProxyRoute
from service.transport import tls
from service.transport.fetching import Document
from tests.integration.auth.pki import HOST, Authority
from tests.integration.faults import raw

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
BODY = b'{"keys": []}'


async def answering(answer, *, max_bytes=100, limit_s=30.0, route=DIRECT, hangs=False):
    """Fetch from a server that sends this, and return the content, or what is wrong, and the requests."""
    asked = []

    async def handle(reader, writer, head):
        asked.append(head)
        writer.write(answer)
        await writer.drain()
        if hangs:
            await reader.read()

    async with raw.upstream(handle) as url:
        at = url if route is DIRECT else "http://elsewhere.test/keys"
        if route is not DIRECT:
            route = ProxyRoute(Proxy("HTTP_PROXY", url, url))
        context = ssl.create_default_context()
        document = Document(at, route, context, max_bytes=max_bytes, limit_s=limit_s)
        assert repr(document) == f"Document({at})"
        try:
            return await document.fetch(), asked
        except ValueError as error:
            return str(error).replace(at, "URL"), asked


async def test_the_content_comes_as_it_is():
    found, (asked,) = await answering(OK + b"\r\n" + BODY)
    assert found == BODY
    assert b"accept-encoding: identity" in asked.lower()
    assert b"cookie" not in asked.lower()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 503 No\r\nConnection: close\r\n\r\n", "URL answers with the status 503"),
        (
            b"HTTP/1.1 302 Go\r\nLocation: /other\r\nConnection: close\r\n\r\n",
            "URL answers with the status 302",
        ),
        (OK + b"\r\n" + b"x" * 101, "URL is larger than 100 bytes"),
        (OK + b"Content-Length: 9\r\n\r\n" + b"x", "URL cannot be read: RemoteProtocolError "),
        (b"nothing\r\n\r\n", "URL cannot be read: RemoteProtocolError "),
        (b"", "URL cannot be read: RemoteProtocolError "),
    ],
)
async def test_what_is_wrong_is_said(answer, says):
    found, asked = await answering(answer)
    assert isinstance(found, str)
    assert found.startswith(says)
    assert len(asked) == 1, "no redirect is followed, and nothing is tried again"


@pytest.mark.parametrize("begun", [b"", OK, OK + b"\r\n{"], ids=["nothing", "half a head", "half a body"])
async def test_a_server_that_hangs_has_its_time(begun):
    async with asyncio.timeout(30):
        found, _ = await answering(begun, limit_s=0.1, hangs=True)
    assert found == "URL did not answer within 0.1 s"


async def test_a_body_without_end_is_left_at_its_bound():
    async with asyncio.timeout(30):
        found, _ = await answering(OK + b"\r\n" + b"x" * 1_000_000, hangs=True)
    assert found == "URL is larger than 100 bytes"


async def test_it_goes_through_the_proxy_that_was_chosen():
    found, (asked,) = await answering(OK + b"\r\n" + BODY, route=ProxyRoute(why="test"))
    assert found == BODY
    assert asked.startswith(b"GET http://elsewhere.test/keys ")


@pytest.mark.parametrize("trusted", [True, False])
async def test_the_server_s_certificate_is_checked(tmp_path, trusted):
    authority = Authority(tmp_path, "authority")
    issued = authority.issue("server", HOST)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(issued.path, issued.key_path)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"\r\n" + BODY)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=serving) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        context = tls.trusting("TRUNKLINE_JWT_CA", str(authority.path) if trusted else "")
        document = Document(url, DIRECT, context, max_bytes=100, limit_s=30)
        if trusted:
            assert await document.fetch() == BODY
        else:
            with pytest.raises(ValueError, match=r"cannot be read: ConnectError .*CERTIFICATE_VERIFY_FAILED"):
                await document.fetch()


async def test_nobody_there_is_said():
    document = Document("http://127.0.0.1:9/", DIRECT, ssl.create_default_context(), max_bytes=1, limit_s=30)
    with pytest.raises(ValueError, match="cannot be read: ConnectError"):
        await document.fetch()
