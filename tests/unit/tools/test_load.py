import asyncio
import signal
import sys

import pytest

from tests.stack import MODEL, stack
from tools import load
from trunkline import AsyncClient

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def nobody_thinks(monkeypatch):
    monkeypatch.setattr(load, "THINKING_S", 0)


@pytest.mark.parametrize("kind", load.KINDS)
async def test_each_kind_is_held_to_its_end(kind):
    async with asyncio.timeout(PATIENCE_S), stack() as service, AsyncClient(service.address) as client:
        await load.hold(client, kind)
        assert service.simulator.stats.requests_total
        assert {request.body["model"] for request in service.simulator.requests} == {MODEL} == {load.MODEL}


async def test_conversations_begin_at_their_rate_and_are_few_at_once(monkeypatch):
    monkeypatch.setattr(load, "MAX_CONVERSATIONS", 3)
    begun, full = [], asyncio.Event()

    async def held(_client, kind):
        begun.append(kind)
        if len(begun) == 3:
            full.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(load, "hold", held)
    async with asyncio.timeout(PATIENCE_S), AsyncClient("127.0.0.1:1") as client:
        running = asyncio.create_task(load.run(client, 1000))
        await full.wait()
        for _ in range(100):
            await asyncio.sleep(0)
        assert begun == list(load.KINDS)[:3]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_sigterm_ends_it_well():
    async with asyncio.timeout(PATIENCE_S), stack() as service:
        arguments = ["-m", "tools.load", "--address", service.address, "--rate", "50"]
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
        await service.simulator.wait_for(lambda: service.simulator.stats.requests_total > 3, PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
