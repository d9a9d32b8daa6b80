import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from trunkline import TrunklineError

Status = health_pb2.HealthCheckResponse


@pytest.fixture
async def servicer():
    return health.aio.HealthServicer()  # type: ignore[attr-defined]  # missing in its stubs


@pytest.fixture
async def asked(face, servicer):
    """Asks a server that has nothing but the standard service. The package of its stubs is imported, too."""
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    client = face.client(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", token="t0ken")
    await server.start()
    yield lambda *arguments: face.call(client.health, *arguments)
    await face.close(client)
    await server.stop(0)


async def test_of_the_whole_and_of_a_service(asked, servicer):
    assert await asked() == "serving"
    await servicer.set("one", Status.NOT_SERVING)
    assert await asked("one") == "not_serving"
    await servicer.set("one", 9)
    assert await asked("one") == "9"


async def test_a_service_that_nobody_knows(asked):
    with pytest.raises(TrunklineError) as caught:
        await asked("two")
    assert caught.value.status is grpc.StatusCode.NOT_FOUND
