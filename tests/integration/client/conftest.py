import grpc
import pytest

from tests.integration.client.faces import AsyncFace, SyncFace
from tests.integration.client.scripted import Scripted
from trunkline import Retry
from trunkline.gen.trunkline.v1.completion_pb2_grpc import add_CompletionServiceServicer_to_server
from trunkline.gen.trunkline.v1.session_pb2_grpc import add_SessionServiceServicer_to_server


@pytest.fixture
async def service():
    scripted = Scripted()
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_CompletionServiceServicer_to_server(scripted, server)
    add_SessionServiceServicer_to_server(scripted, server)
    scripted.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield scripted
    await server.stop(0)


@pytest.fixture(params=[AsyncFace, SyncFace], ids=["async", "sync"])
def face(request):
    return request.param()


@pytest.fixture(autouse=True)
def stop_s(monkeypatch):
    """CancelTurn is a best effort of two seconds; the service of these tests always hears it."""
    for package in ("aio", "sync"):
        monkeypatch.setattr(f"trunkline.{package}.client.STOP_S", 60.0)


@pytest.fixture
async def client(face, service):
    client = face.client(service.address, token="t0ken", retry=Retry(jitter=lambda: 1.0))
    yield client
    await face.close(client)


@pytest.fixture
def conversation(client):
    return client.conversation("s1", model="m")
