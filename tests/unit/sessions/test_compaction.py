"""A compaction has a turn's limits, and says how its time ended."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller
from service.sessions.admission import Admission, TenantLimits
from service.sessions.compaction import Compaction, Compactions
from service.sessions.running import Running
from tests.integration.faults import raw
from tests.unit.sessions.answering import PATIENCE_S, asked, managing

ONE = Caller("one", max_turns=1)


@asynccontextmanager
async def silent(**settings):
    """A manager before an upstream that takes requests and answers none; the event: it has one."""
    arrived = asyncio.Event()

    async def serve(reader, _writer, _head):
        arrived.set()
        await reader.read()

    async with raw.upstream(serve) as url, managing(url, **settings) as manager:
        yield manager, arrived


def a_compaction(caller=ONE):
    return Compaction(caller, asked())


async def failure(manager, compaction=None):
    with pytest.raises(TurnError) as caught:
        await manager.compactions.run(compaction or a_compaction())
    return caught.value


async def test_a_time_that_runs_out_names_the_setting():
    async with silent(turn_timeout_s=0.1) as (manager, _):
        error = await failure(manager)
    assert (error.reason, "TRUNKLINE_TURN_TIMEOUT_S" in error.message) == (Reason.TIMEOUT, True)


async def test_a_queue_that_does_not_move_is_overloaded():
    admission = Admission(1, 1)
    async with managing() as manager:
        compactions = Compactions(
            manager._upstreams,
            manager._registry,
            tenant_limits=TenantLimits(time.monotonic),
            admission=admission,
            running=Running(),
            check_serving=lambda: None,
            limit_s=0.05,
        )
        with await admission.enter(), pytest.raises(TurnError) as caught:
            await compactions.run(a_compaction())
    error = caught.value
    assert (error.reason, error.message) == (Reason.OVERLOADED, "no place became free within 0.05 s")


async def test_a_failure_is_the_one_that_callers_see():
    async with managing() as manager:
        compaction = a_compaction()
        assert (await failure(manager, compaction)).reason is Reason.CONNECT_FAILED
        assert not compaction.dispatched


async def test_it_counts_as_a_turn_of_its_tenant():
    async with silent() as (manager, arrived):
        running = asyncio.create_task(manager.compactions.run(a_compaction()))
        await asyncio.wait_for(arrived.wait(), PATIENCE_S)
        assert manager.counts().turns == 1
        assert (await failure(manager)).reason is Reason.OVERLOADED
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert manager.counts().turns == 0


async def test_a_drain_interrupts_it_once():
    async with silent() as (manager, arrived):
        compaction = a_compaction()
        running = asyncio.create_task(failure(manager, compaction))
        await asyncio.wait_for(arrived.wait(), PATIENCE_S)
        await manager.drain(0.01)
        compaction.interrupt()
        assert (await running).reason is Reason.INTERRUPTED
        assert (await failure(manager)).reason is Reason.SHUTTING_DOWN


def test_before_anything_was_sent_a_drain_says_so():
    compaction = a_compaction()
    compaction.interrupt()  # it has not begun
    assert not compaction.dispatched
    assert compaction.out_of_time(1).reason is Reason.OVERLOADED
    assert not compaction.expired


async def test_interrupted_in_its_first_step_nothing_was_sent():
    compaction = a_compaction()

    async def run():
        async with compaction.limited(PATIENCE_S):
            compaction.interrupt()
            await asyncio.sleep(PATIENCE_S)

    with pytest.raises(TimeoutError):
        await run()
    assert compaction.expired
    assert compaction.out_of_time(1).reason is Reason.SHUTTING_DOWN


async def test_a_timeout_of_another_is_not_its_own(monkeypatch):
    async def run(*_):
        raise TimeoutError

    monkeypatch.setattr(Compaction, "run", run)
    async with managing() as manager:
        with pytest.raises(TimeoutError):
            await manager.compactions.run(a_compaction())


def test_it_shows_whose_it_is():
    assert repr(a_compaction()) == "Compaction(s, None)"
