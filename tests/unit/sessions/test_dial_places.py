"""A free place goes to the tenant with the fewest handshakes in flight."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sessions.dial_places import Dials
from tests.unit.sessions.test_pool import settled


async def waiting(dials, tenant, entered):
    await dials.enter(tenant)
    entered.append(tenant)


async def test_a_thousand_of_one_tenant_are_one_ahead_of_another():
    dials, entered = Dials(2), list[str]()
    tasks = [asyncio.ensure_future(waiting(dials, "a", entered)) for _ in range(10)]
    await settled()
    tasks.append(asyncio.ensure_future(waiting(dials, "b", entered)))
    await settled()
    assert repr(dials) == "Dials(2 running, 9 waiting)"
    dials.leave("a")
    await settled()
    assert entered == ["a", "a", "b"]
    for task in tasks:
        task.cancel()


async def test_who_leaves_while_waiting_holds_nothing():
    dials = Dials(1)
    await dials.enter("a")
    for late in (False, True):
        gone = asyncio.ensure_future(dials.enter("b"))
        await settled()
        if late:
            dials.leave("a")  # the place comes in the same moment
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert repr(dials) == "Dials(0 running, 0 waiting)"
    await dials.enter(None)


@settings(deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["enter", "leave", "cancel"]))),
)
def test_in_any_order_no_place_is_lost_or_given_twice(limit, steps):
    async def play():
        dials, tasks = Dials(limit), list[tuple[str, asyncio.Task[None]]]()
        for tenant, step in steps:
            mine = [task for task in tasks if task[0] == tenant]
            held = [task for task in mine if task[1].done()]
            if step == "enter":
                tasks.append((tenant, asyncio.ensure_future(dials.enter(tenant))))
            elif step == "leave" and held:
                tasks.remove(held[0])
                dials.leave(tenant)
            elif step == "cancel" and len(mine) > len(held):
                gone = next(task for task in mine if not task[1].done())
                tasks.remove(gone)
                gone[1].cancel()
            await settled()
            entered = sum(task.done() for _, task in tasks)
            assert entered == min(limit, len(tasks))
            assert repr(dials) == f"Dials({entered} running, {len(tasks) - entered} waiting)"
        for _, task in tasks:
            task.cancel()
        await settled()

    asyncio.run(play())
