import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from simulator import Simulator

HEADERS = {"Authorization": "Bearer sk-test"}


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(seed="") as simulator:
        yield simulator


@pytest.fixture
async def http(sim) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sim.url, headers=HEADERS) as client:
        yield client


@pytest.fixture
def dial(sim):
    """Opens a WebSocket: `async with dial() as socket`."""
    return lambda **options: connect(
        sim.url.replace("http", "ws") + "/responses",
        **{"additional_headers": HEADERS, "compression": None, "max_size": None, **options},
    )


@pytest.fixture
def create():
    """The text of a `response.create`."""
    return lambda text="Hello.", **fields: json.dumps(
        {"type": "response.create", "model": "m", "store": False, "input": text, **fields}
    )


@pytest.fixture
def receive():
    """All events up to the first of the given type, or up to the end of a response."""

    async def until(socket, *last: str) -> list[dict[str, Any]]:
        endings = last or ("response.completed", "response.incomplete", "response.failed", "error")
        events: list[dict[str, Any]] = []
        while not events or events[-1].get("type") not in endings:
            events.append(json.loads(await socket.recv()))
        return events

    return until
