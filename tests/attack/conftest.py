import pytest

from simulator import Settings, Simulator


@pytest.fixture
async def simulator():
    async with Simulator(port=0, settings=Settings()) as running:
        yield running
