import grpc
import pytest

from service.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub
from service.gen.trunkline.v1.session_pb2_grpc import SessionServiceStub
from service.rpc.server import Server
from tests.integration.rpc.fakes import FakeManager
from tests.parts import server_settings


@pytest.fixture
def settings():
    return server_settings(listen="127.0.0.1:0", replica="blue", max_request_bytes=100_000)


@pytest.fixture
def manager():
    return FakeManager()


@pytest.fixture
async def server(settings, manager):
    server = Server(settings, manager)
    yield server
    await server.stop(0)


@pytest.fixture
async def address(server):
    return await server.start()


@pytest.fixture
async def channel(address):
    async with grpc.aio.insecure_channel(address) as channel:
        yield channel


@pytest.fixture
def completion(channel):
    return CompletionServiceStub(channel)


@pytest.fixture
def sessions(channel):
    return SessionServiceStub(channel)
