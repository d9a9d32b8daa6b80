"""Test the options of grpc core. It accepts any name, so a wrong one would go unnoticed."""

import asyncio
import re
from pathlib import Path

import grpc

from service.rpc.health import HealthService
from service.rpc.server import options
from tests.attack.http2 import Caller
from tests.parts import server_settings

PINGS = 8
PATIENCE_S = 30


def library():
    """The compiled part of grpc."""
    [found] = Path(grpc.__file__).parent.glob("_cython/cygrpc*.so")
    return found


def test_each_option_is_one_that_grpc_core_knows():
    known = set(re.findall(rb"grpc\.[a-z0-9_.]+", library().read_bytes()))
    assert {name for name in options(server_settings()) if name.encode() not in known} == set()


async def test_pings_slower_than_the_interval_are_always_accepted():
    given = options(server_settings())
    [interval] = [name for name in given if "ping_interval" in name]
    assert given[interval] == 10_000
    server = grpc.aio.server(options=list((given | {interval: 1}).items()))
    server.add_generic_rpc_handlers((HealthService([]).handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with asyncio.timeout(PATIENCE_S), Caller(port) as caller:
        for number in range(PINGS):
            caller.connection.ping(number.to_bytes(8, "big"))
            await caller.flush()
            await caller.answered(number + 1)  # so the server has received it before the next one is sent
            await asyncio.sleep(0.02)
        # An answer that comes after them all shows that the connection lives.
        stream = await caller.begin("/grpc.health.v1.Health/Check", end=True)
        assert await caller.ended(stream) == "3"
        assert caller.goaway is None
    await server.stop(0)
