"""What a test sees of the service, and a service to look at."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.stack import Stack, stack
from tests.watching import Seen, watching


@pytest.fixture
def seen() -> Iterator[Seen]:
    with watching() as everything:
        yield everything


@pytest.fixture
async def house(seen: Seen) -> AsyncIterator[Stack]:
    """A service with the default settings, watched from its first moment."""
    async with stack() as running:
        yield running
