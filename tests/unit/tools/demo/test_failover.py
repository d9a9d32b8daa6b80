"""The demo of failover, against upstreams and a service that are not there."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from tools.demo import failover
from tools.demo.processes import DemoError
from tools.demo.screen import Screen
from tools.demo.stage import Stage


class Played(Stage):
    """A stage whose turns end as `reports` say, in order, and whose upstreams received `requests` in all."""

    def __init__(self, reports: list[Any], requests: int) -> None:
        super().__init__(Screen(), "", simulated=True)
        self.reports = iter(reports)
        self.received = [{"response_id": f"r{number}", "finished": "completed"} for number in range(requests)]

    async def turn(self, *_: object) -> Any:
        return next(self.reports)

    async def simulator(self, endpoint: str, body: bytes | None = None, *, at: str = "") -> Any:
        return self.received if at == "first" else []


def report(context: str, upstream: str) -> Any:
    return SimpleNamespace(transport="websocket", context=context, context_reason="", upstream=upstream)


AS_SHOWN = [("full", "first"), ("incremental", "first"), ("full", "second"), ("incremental", "second")]


async def played(turns: list[tuple[str, str]], requests: int) -> list[str]:
    killed: list[str] = []

    async def kill() -> None:
        killed.append("first")

    upstreams = {
        "first": SimpleNamespace(address="first", kill=kill),
        "second": SimpleNamespace(address="second"),
    }
    client = SimpleNamespace(conversation=lambda **_: None)
    stage = Played([report(*turn) for turn in turns], requests)
    await failover.play(stage, cast(Any, client), cast(Any, upstreams))
    return killed


async def test_the_first_upstream_dies_and_each_turn_is_one_request():
    assert await played(AS_SHOWN, 4) == ["first"]


@pytest.mark.parametrize(
    ("turns", "requests", "problem"),
    [
        ([*AS_SHOWN[:3], ("full", "second")], 4, "expected websocket, incremental at second"),
        ([*AS_SHOWN[:2], ("full", "first")], 4, "full at second, was"),
        (AS_SHOWN, 5, "5 requests"),
    ],
)
async def test_what_differs_ends_the_demo(turns, requests, problem):
    with pytest.raises(DemoError, match=problem):
        await played(turns, requests)
