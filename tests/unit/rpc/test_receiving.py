import asyncio
import time

import grpc
import pytest

from service.domain.errors import Reason, TurnError
from service.rpc import receiving
from service.rpc.receiving import GRACE_S, Receiver, Slots, slots_for

PATIENCE_S = 30
MIB = 1024 * 1024


class FakeContext:
    """A call whose next message comes when the test says so."""

    def __init__(self):
        self.message = asyncio.get_running_loop().create_future()

    async def read(self):
        return await self.message


def receiver(number=1, share=None, timeout_s=3600.0):
    return Receiver(Slots(number, share), timeout_s, "too late")


async def entered(slots):
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if repr(slots).startswith("Slots(1 of"):
                return
            await asyncio.sleep(0.005)


async def test_a_message_within_the_grace_needs_no_slot():
    context = FakeContext()
    context.message.set_result(b"m")
    assert await receiver(0).receive(context) == b"m"


async def test_a_half_close_returns_none():
    context = FakeContext()
    context.message.set_result(grpc.aio.EOF)  # type: ignore[attr-defined]  # missing in its stubs
    assert await receiver(0).receive(context) is None


async def test_a_slow_message_holds_a_slot_until_it_arrives():
    context, one = FakeContext(), receiver()
    task = asyncio.create_task(one.receive(context, "alpha"))
    await entered(one.slots)
    context.message.set_result(b"m")
    assert await task == b"m"
    assert repr(one.slots) == "Slots(0 of 1 taken)"


async def test_a_slow_message_without_a_slot_is_refused():
    with pytest.raises(TurnError, match="all 0 places") as refused:
        await receiver(0).receive(FakeContext())
    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after is not None


async def test_a_message_slower_than_its_slot_allows_times_out():
    one = receiver(timeout_s=0.01)
    with pytest.raises(TurnError, match="too late") as late:
        await one.receive(FakeContext())
    assert late.value.reason is Reason.TIMEOUT
    assert repr(one.slots) == "Slots(0 of 1 taken)"


async def test_a_caller_who_leaves_releases_the_slot():
    one = receiver()
    task = asyncio.create_task(one.receive(FakeContext()))
    await entered(one.slots)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert repr(one.slots) == "Slots(0 of 1 taken)"


@pytest.mark.parametrize("number", [0, 1])
async def test_a_message_due_with_its_timer_is_received(number):
    context, one = FakeContext(), receiver(number, timeout_s=GRACE_S)
    task = asyncio.create_task(one.receive(context))
    await asyncio.sleep(0)
    if number:
        await entered(one.slots)
    time.sleep(GRACE_S * 1.5)  # noqa: ASYNC251  the loop is busy until the timer is due
    context.message.set_result(b"m")
    assert await task == b"m"


async def test_a_process_that_stood_still_gives_its_other_threads_time():
    """The message came meanwhile, but the thread that reads it runs later than the loop."""
    context, one = FakeContext(), receiver(0)
    task = asyncio.create_task(one.receive(context))
    await asyncio.sleep(0)
    time.sleep(GRACE_S * 3)  # noqa: ASYNC251  no thread runs
    for _ in range(10):
        await asyncio.sleep(0)
    context.message.set_result(b"m")
    assert await task == b"m"


async def test_a_timeout_of_the_caller_is_not_swallowed():
    context = FakeContext()
    context.message.set_exception(TimeoutError("foreign"))
    with pytest.raises(TimeoutError, match="foreign"):
        await receiver().receive(context)


def test_a_holder_gets_no_more_slots_than_its_share():
    slots = Slots(3, 2)
    slots.acquire("alpha")
    slots.acquire("alpha")
    with pytest.raises(TurnError, match="the 2 places for slow messages of one tenant"):
        slots.acquire("alpha")
    slots.acquire("beta")
    with pytest.raises(TurnError, match="all 3 places"):
        slots.acquire("gamma")
    slots.release("alpha")
    slots.acquire("gamma")


@pytest.mark.parametrize(("mebibytes", "number", "share"), [(33, 7, 4), (9, 28, 14), (500, 2, 1)])
def test_slots_fit_a_quarter_of_a_replica_s_memory(mebibytes, number, share):
    slots = slots_for(mebibytes * MIB)
    for _ in range(share):
        slots.acquire("alpha")
    with pytest.raises(TurnError):
        slots.acquire("alpha")
    assert repr(slots) == f"Slots({share} of {number} taken)"
    assert number == 2 or number * mebibytes * MIB <= receiving.SLOW_BYTES
