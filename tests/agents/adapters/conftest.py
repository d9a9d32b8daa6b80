"""A service with a simulator as its upstream, each a process, for the adapters of agent frameworks."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from tests.agents.conftest import Upstream
from tests.agents.table import PROPERTY, SCENARIOS
from tests.e2e.conftest import running


@dataclass(frozen=True)
class Trunk:
    """Where an adapter connects, and the upstream that sees what it makes of a conversation."""

    address: str
    upstream: Upstream


Record = Callable[..., None]


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    async with running(["-m", "simulator", "--port", "0", "--delay-ms", "2"]) as simulator:
        url = await simulator.says(r"listening on (\S+)")
        settings = {"TRUNKLINE_LISTEN": "127.0.0.1:0", "TRUNKLINE_UPSTREAM_URL": url, "OPENAI_API_KEY": "k"}
        async with running(["-m", "service"], **settings) as service:
            yield Trunk(await service.says(r"listening on ([\d.:]+)"), Upstream(url))


@pytest.fixture
def cell(trunk: Trunk, record_property: Callable[[str, object], None]) -> Record:
    """`cell("langchain", "stream", full=1)`: all requests so far were incremental but `full`.

    And none sent an item twice. It is a cell of the table that `make agents` prints. Warm-ups do not count.
    """

    def record(framework: str, scenario: str, *, full: int = 1) -> None:
        assert scenario in SCENARIOS
        requests = [request for request in trunk.upstream.requests() if request["generate"]]
        incremental = [request for request in requests if request["previous_response_id"]]
        record_property(PROPERTY, (framework, scenario, len(requests), len(incremental)))
        assert len(requests) - len(incremental) == full, requests
        assert not any(request["repeated_items"] for request in requests), requests

    return record
