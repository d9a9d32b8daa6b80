"""A running service for each test, and a check that nothing is left when the test is over."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.integration.service.talk import PATIENCE_S, Talk
from tests.stack import Stack, stack

Start = Callable[..., Awaitable[Stack]]


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
    pool, state = replica.pool, replica.pool._state
    assert replica.manager._admission.running == 0
    assert (state.leased, state.dialing, len(pool._waiters)) == (0, 0, 0)
    assert [session for session in replica.manager._registry if session.busy] == []
    await replica.server.stop(0)
    await replica.manager.close()
    await replica.simulator.wait_for(
        lambda: not replica.simulator.stats.open_connections and not replica.simulator.stats.in_flight,
        PATIENCE_S,
    )
    assert (state.leased, state.idle, state.dialing) == (0, 0, 0)
    assert (len(replica.manager.kept), replica.manager.kept._room.bytes) == (0, 0)
