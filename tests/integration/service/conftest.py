"""A running service for each test, and a check that nothing is left when the test is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from simulator import Simulator
from tests.integration.service.talk import PATIENCE_S, Talk
from tests.integration.service.two import Two, UpstreamsFile
from tests.stack import Stack, stack

Start = Callable[..., Awaitable[Stack]]
StartTwo = Callable[..., Awaitable[Two]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a service: `await start({"NAME": "value"}, upstream=…, hook=…)`. After the test it is clean."""
    async with AsyncExitStack() as started_replicas:

        async def started(*args, **kwargs) -> Stack:
            replica = await started_replicas.enter_async_context(stack(*args, **kwargs))
            started_replicas.push_async_callback(_leave_clean, replica)
            return replica

        yield started
    await _no_task_is_left()


@pytest.fixture
async def two(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StartTwo]:
    """Starts a service with two upstreams, a and b: `await two(a="models = [\"m\"]", rest="[[routes]]…")`."""
    monkeypatch.setenv("KEY", "k")
    async with AsyncExitStack() as simulators:

        async def started(a: str = "", b: str = "", rest: str = "", first: str = "", **settings: str) -> Two:
            both = [await simulators.enter_async_context(Simulator(port=0)) for _ in "ab"]
            file = UpstreamsFile(tmp_path / "upstreams.toml", [one.url for one in both])
            file.write(a, b, rest, first)
            replica = await start({"UPSTREAMS_FILE": str(file.path)} | settings)
            return Two(replica, both[0], both[1], file)

        yield started


@pytest.fixture
async def replica(start: Start) -> Stack:
    """A service with the default settings."""
    return await start()


@pytest.fixture
def talk(replica: Stack) -> Talk:
    """A conversation with it."""
    return Talk(replica)


async def _no_task_is_left() -> None:
    """A call whose status its caller has may still wait for grpc to say that it was sent."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110  nothing announces it
                await asyncio.sleep(0.002)
    except TimeoutError:
        pytest.fail(f"tasks are left: {asyncio.all_tasks()}")


async def _leave_clean(replica: Stack) -> None:
    """Nobody calls any more: no turn runs, no line is leased. After the end: no line is open."""
    await replica.channel.close(None)
    assert await replica.manager._running.finished(PATIENCE_S)
    assert replica.manager._reaper is not None
    replica.manager._reaper.cancel()  # it may be dialling a spare
    await asyncio.wait([replica.manager._reaper])
    endpoints = list(replica.upstreams)
    states = [endpoint.pool._state for endpoint in endpoints]
    assert replica.manager._admission.running == 0
    for endpoint, state in zip(endpoints, states, strict=True):
        assert (state.leased, state.dialing, len(endpoint.pool._waiters)) == (0, 0, 0)
    assert [session for session in replica.manager._registry if session.busy] == []
    await replica.server.stop(0)
    await replica.manager.close()
    await replica.simulator.wait_for(
        lambda: not replica.simulator.stats.open_connections and not replica.simulator.stats.in_flight,
        PATIENCE_S,
    )
    for state in states:
        assert (state.leased, state.idle, state.dialing) == (0, 0, 0)
    assert (len(replica.manager.kept), replica.manager.kept._room.bytes) == (0, 0)
