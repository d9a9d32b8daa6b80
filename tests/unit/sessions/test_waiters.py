"""Who gets the place that becomes free."""

import asyncio
from typing import Any, cast

from service.domain.tenant import Caller
from service.sessions.waiters import Waiters


class State:
    """Which tenants could have a connection now, and how many each holds."""

    def __init__(self) -> None:
        self.able: set[str] = set()
        self.lines = {"poor": 1, "rich": 5}

    def obtainable(self, caller: Caller) -> bool:
        return caller.tenant in self.able

    def held(self, tenant: str) -> int:
        return self.lines[tenant]


async def waiting(*tenants: str):
    state = State()
    waiters = Waiters(cast(Any, state))
    tasks = [asyncio.ensure_future(waiters.place(Caller(tenant), 60.0)) for tenant in tenants]
    await asyncio.sleep(0)
    return state, waiters, tasks


async def test_the_tenant_with_the_fewest_connections_is_first():
    state, waiters, (rich, poor) = await waiting("rich", "poor")
    state.able = {"rich", "poor"}
    waiters.wake()
    assert await poor
    assert (len(waiters), rich.done()) == (1, False)
    waiters.wake()
    assert await rich


async def test_who_could_not_have_it_is_not_woken():
    state, waiters, (poor, rich) = await waiting("poor", "rich")
    state.able = {"rich"}
    waiters.wake()
    assert await rich
    poor.cancel()
    await asyncio.wait([poor])
    assert len(waiters) == 0


async def test_a_place_that_comes_as_a_wait_is_cancelled_goes_to_the_next():
    state, waiters, (poor, rich) = await waiting("poor", "rich")
    state.able = {"rich", "poor"}
    waiters.wake()
    poor.cancel()
    assert await rich
    assert poor.cancelled()


async def test_a_wait_ends_with_its_time():
    assert not await Waiters(cast(Any, State())).place(Caller("poor"), 0.01)
