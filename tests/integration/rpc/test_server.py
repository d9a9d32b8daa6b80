import dataclasses

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from service.domain.errors import SettingsError
from service.gen.trunkline.v1 import session_pb2
from service.rpc.server import SERVICES, Server
from tests.integration.rpc.fakes import COMPLETED, STARTED
from tests.integration.rpc.test_completion import STREAM, UNARY, ended, failed, info

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def settings(settings):
    return dataclasses.replace(settings, auth_tokens=(("t-one", "one"), ("t-two", "two")))


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_health_needs_no_token_and_reports_the_drain(server, channel, service):
    health = HealthStub(channel)
    request = health_pb2.HealthCheckRequest(service=service)
    assert (await health.Check(request)).status == SERVING
    watch = health.Watch(request)
    assert (await watch.read()).status == SERVING
    server.not_serving()
    assert (await watch.read()).status == NOT_SERVING
    assert (await health.Check(request)).status == NOT_SERVING
    watch.cancel()


async def test_calls_are_accepted_while_the_service_drains(server, completion, manager):
    server.not_serving()
    manager.steps = [[STARTED, COMPLETED]]
    assert await completion.Complete(UNARY, metadata=bearer("t-one"))


async def test_reflection_needs_no_token(channel):
    ask = reflection_pb2.ServerReflectionRequest
    call = ServerReflectionStub(channel).ServerReflectionInfo(
        iter([ask(list_services=""), ask(file_containing_symbol="trunkline.v1.Done")])
    )
    services = (await call.read()).list_services_response.service
    assert {service.name for service in services} == {
        "trunkline.v1.CompletionService",
        "trunkline.v1.SessionService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert (await call.read()).file_descriptor_response.file_descriptor_proto
    call.cancel()


NOBODY = {
    "no header": (),
    "an unknown token": bearer("t-three"),
    "another scheme": (("authorization", "Basic t-one"),),
    "two headers": bearer("t-one") + bearer("t-one"),
}


@pytest.mark.parametrize("metadata", NOBODY.values(), ids=NOBODY.keys())
async def test_every_method_refuses_an_unauthenticated_caller(completion, sessions, manager, metadata):
    _, error = await ended(completion.StreamCompletion(STREAM, metadata=metadata))
    unary = await failed(completion.Complete(UNARY, metadata=metadata))
    listed = await failed(sessions.ListSessions(session_pb2.ListSessionsRequest(), metadata=metadata))
    for refused in (error, unary, listed):
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        assert info(refused) == ("UNAUTHENTICATED", {"sent": "false", "events_emitted": "0"})
    assert manager.calls == []


async def test_sessions_belong_to_the_tenant_of_the_token(completion, sessions, manager):
    manager.steps = [[STARTED, COMPLETED]]
    for token in ("t-one", "t-two"):
        assert await completion.Complete(UNARY, metadata=bearer(token))
    assert [tenant for tenant, _ in manager.calls] == ["one", "two"]
    await sessions.WarmSession(session_pb2.WarmSessionRequest(session_id="s"), metadata=bearer("t-one"))
    get = session_pb2.GetSessionRequest(session_id="s")
    assert await sessions.GetSession(get, metadata=bearer("t-one"))
    error = await failed(sessions.GetSession(get, metadata=bearer("t-two")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_a_port_is_never_shared(address, settings, manager):
    second = Server(dataclasses.replace(settings, listen=address), manager)
    with pytest.raises(SettingsError, match=f"TRUNKLINE_LISTEN cannot be served: {address} is taken"):
        await second.start()
    await second.stop(0)


async def test_an_unknown_method(channel):
    call = channel.unary_unary("/trunkline.v1.CompletionService/Nothing")
    assert (await failed(call(b"", metadata=bearer("t-one")))).code() is grpc.StatusCode.UNIMPLEMENTED
