import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from trunkline import AsyncClient


def test_a_client_outlives_its_loop():
    """As one that is made once for several `asyncio.run`, or for the tests of a suite."""
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = AsyncClient(f"127.0.0.1:{port}")
    try:
        assert [asyncio.run(client.health()) for _ in range(3)] == ["serving"] * 3
        asyncio.run(client.aclose())
        assert asyncio.run(client.health()) == "serving"
        asyncio.run(client.aclose())
    finally:
        server.stop(None).wait()
