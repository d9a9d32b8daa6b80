"""Test the health service; each watcher is a caller made by hand."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1.health_pb2_grpc import HealthStub

from service.rpc import health
from service.rpc.health import NOT_SERVING, SERVICE_UNKNOWN, SERVING, HealthService
from tests.attack.http2 import Caller, message

CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
PATIENCE_S = 30
INVALID_ARGUMENT, DEADLINE_EXCEEDED = "3", "4"


@pytest.fixture(autouse=True)
def slow_s(monkeypatch):
    """How long a request may take. That none does has a test of its own."""
    monkeypatch.setattr(health, "SLOW_S", PATIENCE_S)


@pytest.fixture
def service():
    service = HealthService(["one"])
    service.set_status(SERVING)
    return service


@pytest.fixture
async def port(service):
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(0)


@pytest.fixture
async def stub(port):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(PATIENCE_S):
        yield HealthStub(channel)


def asked(name=""):
    return pb.HealthCheckRequest(service=name)


async def watching(service, number):
    while True:
        if f" {number} watchers" in repr(service):
            return
        await asyncio.sleep(0.01)


async def test_a_service_is_checked_by_its_name(service, stub):
    assert (await stub.Check(asked("one"))).status == SERVING
    service.set_status(NOT_SERVING)
    assert (await stub.Check(asked())).status == NOT_SERVING


async def test_an_unknown_service_is_not_found(stub):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.Check(asked("two"))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND


async def test_an_unknown_service_is_watched_as_unknown(stub):
    assert (await stub.Watch(asked("two")).read()).status == SERVICE_UNKNOWN


async def test_all_statuses_are_listed(stub):
    statuses = (await stub.List(pb.HealthListRequest())).statuses
    assert {name: reported.status for name, reported in statuses.items()} == {"": SERVING, "one": SERVING}


async def test_a_watcher_who_leaves_harms_no_other(service, stub):
    leaving, staying = stub.Watch(asked("one")), stub.Watch(asked("one"))
    assert [(await watch.read()).status for watch in (leaving, staying)] == [SERVING, SERVING]
    leaving.cancel()
    await watching(service, 1)
    service.set_status(NOT_SERVING)
    assert (await staying.read()).status == NOT_SERVING


async def test_a_watcher_who_does_not_read_delays_no_other(service, stub, port):
    async with Caller(port, window=0) as deaf:
        stream = await deaf.begin(WATCH)
        await deaf.send(stream, message(b""))
        await watching(service, 1)
        watch = stub.Watch(asked())
        assert (await watch.read()).status == SERVING
        service.set_status(NOT_SERVING)
        assert (await watch.read()).status == NOT_SERVING
        assert (await stub.Check(asked())).status == NOT_SERVING
    await watching(service, 1)


async def test_watchers_beyond_the_bound_are_refused(service, stub, monkeypatch):
    monkeypatch.setattr(health, "MAX_WATCHERS", 1)
    first = stub.Watch(asked())
    await first.read()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.Watch(asked()).read()
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    first.cancel()
    await watching(service, 0)
    assert (await stub.Watch(asked()).read()).status == SERVING


@pytest.mark.parametrize("path", [CHECK, WATCH])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", INVALID_ARGUMENT),
        (message(pb.HealthCheckRequest(service="n" * 1025).SerializeToString()), INVALID_ARGUMENT),
    ],
    ids=["no message", "a long name"],
)
async def test_a_large_or_malformed_request_is_refused(port, path, body, status):
    assert await outcome(port, path, body) == status


class TestTooLate:
    @pytest.fixture
    def slow_s(self, monkeypatch):
        monkeypatch.setattr(health, "SLOW_S", 0.05)

    @pytest.mark.parametrize("path", [CHECK, WATCH])
    async def test_a_message_without_an_end_times_out(self, port, path):
        assert await outcome(port, path, message(b"", announced=1000)) == DEADLINE_EXCEEDED


async def outcome(port, path, body):
    async with asyncio.timeout(PATIENCE_S), Caller(port) as caller:
        stream = await caller.begin(path, end=not body)
        if body:
            await caller.send(stream, body, end=False)
        return await caller.ended(stream)
