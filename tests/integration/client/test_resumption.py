"""Turns that go on by themselves, against the whole service behind a proxy that is cut."""

import asyncio

import pytest

from clients.conformance.cutting import cutting
from tests.integration.service.conftest import replica, start
from trunkline import AsyncClient, Done, TextDelta

__all__ = ["replica", "start"]

WORDS = " ".join(f"word{number}" for number in range(1, 13))
SLOW = "sim:slow(n=12,delay_ms=30)"
CUTS = (1, 2, 5, 9)
"""After so many events, the start among them."""


async def cut(control):
    host, _, port = control.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await reader.read()
    writer.close()


@pytest.mark.parametrize("transport", ["websocket", "sse"])
async def test_a_cut_after_any_event(replica, transport):
    with cutting(replica.address) as (address, control):
        async with AsyncClient(address) as client:
            for heard in CUTS:
                conversation = client.conversation(model="m", transport=transport, resume=True)
                events = []
                async for event in conversation.stream(SLOW):
                    events.append(event)
                    if len(events) == heard:
                        await cut(control)
                text = "".join(event.delta for event in events if isinstance(event, TextDelta))
                assert [event.kind for event in events if not isinstance(event, TextDelta)] == [
                    "start",
                    "done",
                ]
                assert isinstance(events[-1], Done)
                assert text == events[-1].text == WORDS
    assert len(replica.simulator.requests) == len(CUTS)


async def test_a_complete_that_is_cut_again_and_again(replica):
    with cutting(replica.address) as (address, control):
        async with AsyncClient(address) as client:
            answer = asyncio.ensure_future(client.conversation(model="m", resume=True).complete(SLOW))
            await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight)
            while replica.simulator.stats.in_flight:
                await cut(control)
                await asyncio.sleep(0.1)
            assert (await answer).text == WORDS
    assert len(replica.simulator.requests) == 1
