"""Both transports through a real proxy. The upstream's name is one that only the proxy can reach."""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # annotated, not marked so
from grpc_status import rpc_status

from service.gen.trunkline.v1 import completion_pb2 as pb
from tests.integration.auth.pki import Authority
from tests.integration.environment.proxying import HANG_UP, Proxy, listening, secured
from tests.stack import Stack, request, stack

NAME = "upstream.test"
WEBSOCKET = pb.CompletionOptions(transport=pb.TRANSPORT_WEBSOCKET)
SSE = pb.CompletionOptions(transport=pb.TRANSPORT_SSE)
BOTH = pytest.mark.parametrize("options", [WEBSOCKET, SSE], ids=["websocket", "sse"])
PATIENCE_S = 30.0


@dataclass
class Replica:
    stack: Stack
    proxy: Proxy


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"), "authority")


def server_side(authority: Authority, *names: str) -> ssl.SSLContext:
    shown = authority.issue(names[0], *(f"DNS:{name}" for name in names))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.path, shown.key_path)
    return context


@asynccontextmanager
async def behind(
    *, credentials: str = "", said: str = "", refuse: str = "", host: str = "127.0.0.1", **settings: str
) -> AsyncIterator[Replica]:
    """A service whose upstream is reached by a proxy. `said`: the credentials that it must bring."""
    proxy = Proxy(0, credentials, refuse)
    async with listening(proxy, host):
        where = f"[{host}]" if ":" in host else host
        environ = {"HTTP_PROXY": f"http://{said}{where}:{proxy.port}"}
        chosen = {"UPSTREAM_URL": f"http://{NAME}/v1"} | settings
        async with stack(chosen, environ=environ) as running:
            proxy.target = urlsplit(running.simulator.url).port or 0
            yield Replica(running, proxy)


def info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    status, info = rpc_status.from_call(cast(Any, error)), error_details_pb2.ErrorInfo()
    assert status is not None
    status.details[0].Unpack(info)
    return info


async def refusal(replica: Replica, options: pb.CompletionOptions) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await replica.stack.turn(request("Hello.", options=options), timeout=PATIENCE_S)
    return caught.value


@BOTH
async def test_a_turn_goes_through_the_proxy(options):
    async with behind() as replica:
        await replica.stack.done(request("Hello.", options=options), timeout=PATIENCE_S)
        way = f"CONNECT {NAME}:80" if options == WEBSOCKET else f"POST http://{NAME}/v1/responses"
        assert [line.startswith(way) for line in replica.proxy.seen] == [True]


@BOTH
async def test_the_proxy_gets_the_credentials_of_its_url(options):
    async with behind(credentials="me:p@ss:word", said="me:p%40ss%3Aword@") as replica:
        await replica.stack.done(request("Hello.", options=options), timeout=PATIENCE_S)
        assert len(replica.proxy.seen) == 1


@BOTH
async def test_a_proxy_that_knows_us_not_is_named(options):
    async with behind(credentials="me:right", said="me:wrong@") as replica:
        error = await refusal(replica, options)
    assert "the proxy refused the connection with HTTP 407" in (error.details() or "")
    info = info_of(error)
    assert (info.reason, info.metadata["sent"]) == ("CONNECT_FAILED", "false")
    assert "upstream_status" not in info.metadata
    assert "wrong" not in (error.details() or "")


@BOTH
async def test_a_proxy_that_hangs_up_over_its_connect_had_nothing_to_send(options):
    async with listening(Proxy(0, refuse=HANG_UP)) as proxy:
        environ = {"HTTPS_PROXY": f"127.0.0.1:{proxy.port}"}
        async with stack({"UPSTREAM_URL": f"https://{NAME}/v1"}, environ=environ) as running:
            error = await refusal(Replica(running, proxy), options)
    assert "the proxy" in (error.details() or "")
    info = info_of(error)
    assert (info.reason, info.metadata["sent"]) == ("CONNECT_FAILED", "false")


async def test_a_proxy_that_refuses_connect_leaves_the_way_by_sse():
    """405 is here the proxy's word, and not that of an endpoint that does no WebSocket at all."""
    async with behind(refuse="405 Method Not Allowed") as replica:
        done = await replica.stack.done(request("Hello."), timeout=PATIENCE_S)
        assert done.report.transport_reason == "connect_failed"


@BOTH
async def test_a_proxy_that_is_not_there_is_named(options):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environ = {"ALL_PROXY": f"127.0.0.1:{port}"}
    async with stack({"UPSTREAM_URL": f"http://{NAME}/v1"}, environ=environ) as running:
        error = await refusal(Replica(running, Proxy(0)), options)
    assert "the proxy: Connection refused" in (error.details() or "")
    assert str(port) not in (error.details() or "")


@BOTH
@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
async def test_a_proxy_at_an_ipv6_address(options):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    async with behind(host="::1") as replica:
        await replica.stack.done(request("Hello.", options=options), timeout=PATIENCE_S)
        assert len(replica.proxy.seen) == 1


@BOTH
async def test_what_no_proxy_names_goes_directly(options):
    """The name is loopback's own, so that it can be reached at all."""
    async with listening(Proxy(0)) as proxy:
        async with stack(environ={"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}) as running:
            await running.done(request("Hello.", options=options), timeout=PATIENCE_S)
        assert proxy.seen == []


@BOTH
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_tls_through_the_proxy_hides_the_key_from_it(authority, options, scheme):
    """The tunnel's certificate is checked against the upstream's name, and a TLS proxy's against its own."""
    tls = server_side(authority, NAME, "localhost")
    proxy = Proxy(0)
    async with listening(proxy, "127.0.0.1", tls if scheme == "https" else None):
        settings = {"UPSTREAM_URL": f"https://{NAME}/v1", "UPSTREAM_CA": str(authority.path)}
        environ = {"HTTPS_PROXY": f"{scheme}://localhost:{proxy.port}"}
        async with (
            stack(settings, environ=environ) as running,
            secured(urlsplit(running.simulator.url).port or 0, tls) as proxy.target,
        ):
            await running.done(request("Hello.", options=options), timeout=PATIENCE_S)
    assert proxy.seen == [f"CONNECT {NAME}:443 HTTP/1.1"]
    assert "bearer" not in proxy.heads[0].lower()


@BOTH
async def test_an_upstream_that_nobody_vouches_for(authority, options, caplog):
    """The caller hears that much; the log says what may be done."""
    tls = server_side(authority, NAME)
    proxy = Proxy(0)
    async with listening(proxy):
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        async with (
            stack({"UPSTREAM_URL": f"https://{NAME}/v1"}, environ=environ) as running,
            secured(urlsplit(running.simulator.url).port or 0, tls) as proxy.target,
        ):
            error = await refusal(Replica(running, proxy), options)
    assert (error.details() or "").endswith("the certificate is not trusted")
    assert info_of(error).reason == "CONNECT_FAILED"
    assert "TRUNKLINE_UPSTREAM_CA" in caplog.text
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
