"""Fixtures: what the service exports, and a service to observe."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.stack import Stack, stack
from tests.watching import Seen, watching


@pytest.fixture
def seen() -> Iterator[Seen]:
    with watching() as everything:
        yield everything


@pytest.fixture
async def service(seen: Seen) -> AsyncIterator[Stack]:
    """A service with the default settings, observed from its start."""
    async with stack(telemetry=seen.telemetry) as running:
        yield running
