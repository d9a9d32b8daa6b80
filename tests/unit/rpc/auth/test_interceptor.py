"""A call is authenticated before its handler runs; probes are not asked who they are."""

from typing import Any, NamedTuple

import grpc
import pytest

from service.rpc.auth.callers import CALLER, Callers
from service.rpc.auth.interceptor import Authentication
from service.rpc.settings import ServerSettings
from tests.parts import server_settings

OWN = "/trunkline.v1.SessionService/GetSession"
TOKEN = (("authorization", "Bearer t"),)


class AbortedError(Exception):
    pass


class Context:
    def __init__(self, names: tuple[bytes, ...] = ()) -> None:
        self.names = names
        self.code: grpc.StatusCode | None = None

    def auth_context(self):
        return {"x509_common_name": self.names}

    async def abort(self, code, _details, _trailing_metadata):
        self.code = code
        raise AbortedError


class Details(NamedTuple):
    method: str
    invocation_metadata: tuple[tuple[str, str], ...] = ()


async def tenant(_messages, _context):
    return CALLER.get().tenant


HANDLER: Any = grpc.stream_unary_rpc_method_handler(tenant)


async def intercepted(settings: ServerSettings, details: Details, handler=HANDLER) -> Any:
    async def continuation(_details):
        return handler

    details_: Any = details
    return await Authentication(Callers(settings)).intercept_service(continuation, details_)


async def test_a_known_token_reaches_the_handler():
    handler = await intercepted(server_settings(auth_tokens=(("t", "one"),)), Details(OWN, TOKEN))
    assert handler is HANDLER
    assert await handler.stream_unary(None, Context()) == "one"


async def test_without_a_token_the_handler_is_never_reached():
    handler = await intercepted(server_settings(auth_tokens=(("t", "one"),)), Details(OWN))
    context = Context()
    with pytest.raises(AbortedError):
        await handler.stream_stream(None, context)
    assert context.code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_probe_needs_no_token():
    details = Details("/grpc.health.v1.Health/Check")
    assert await intercepted(server_settings(auth_tokens=(("t", "one"),)), details) is HANDLER


@pytest.fixture
def certified(tmp_path):
    file = tmp_path / "auth.toml"
    file.write_text('[tenants.two]\ncertificates = ["client"]\n')
    return server_settings(auth_file=str(file), tls_client_ca="ca.pem")


async def test_a_certificate_counts_when_the_handler_starts(certified):
    handler = await intercepted(certified, Details(OWN))
    assert await handler.stream_unary(None, Context((b"client",))) == "two"


async def test_an_unknown_certificate_is_refused_by_the_handler(certified):
    handler = await intercepted(certified, Details(OWN))
    context = Context((b"other",))
    with pytest.raises(AbortedError):
        await handler.stream_unary(None, context)
    assert context.code is grpc.StatusCode.UNAUTHENTICATED


async def test_an_unknown_method_stays_unknown(certified):
    assert await intercepted(certified, Details(OWN), None) is None
