import asyncio

import pytest

from simulator import Simulator


async def test_port_0_takes_a_free_port():
    async with Simulator() as first, Simulator() as second:
        assert 0 < first.port != second.port > 0
        assert first.url == f"http://127.0.0.1:{first.port}/v1"


async def test_a_taken_port_is_an_error():
    async with Simulator() as sim:
        with pytest.raises(OSError, match="in use"):
            await Simulator(sim.port).start()


async def test_stopping_twice_is_harmless():
    sim = Simulator()
    await sim.start()
    await sim.stop()
    await sim.stop()


async def test_drop_all_ends_every_connection(sim, dial):
    async with dial() as first, dial() as second:
        await sim.wait_for(lambda: len(sim.connections) == 2)
        sim.drop_all(1012)
        await asyncio.gather(first.wait_closed(), second.wait_closed())
        assert (first.close_code, second.close_code) == (1012, 1012)
    await sim.wait_for(lambda: not sim.connections)


async def test_expire_all_ends_every_connection_as_too_old(sim, dial):
    async with dial() as first, dial() as second:
        await sim.wait_for(lambda: len(sim.connections) == 2)
        sim.expire_all()
        for socket in (first, second):
            assert "websocket_connection_limit_reached" in await socket.recv()
    await sim.wait_for(lambda: not sim.connections)
    assert sim.stats.expired == 2
