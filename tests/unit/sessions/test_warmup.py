"""A warm-up is bounded, never fatal for its turn, and continued only if nothing was generated."""

import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.plan import ContextReason
from service.domain.tenant import Caller
from service.sessions.manager import Manager
from service.sessions.warmup import warm_up_rate
from tests.integration.faults import raw
from tests.unit.sessions.answering import PATIENCE_S, Answering, answered, asked

ONE = Caller("one")
EMPTY: list[raw.Event] = [
    raw.ANSWER[0],
    {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": []}},
]
FAILED: list[raw.Event] = [
    {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "broken"}}}
]


async def context_after_warm_up(manager: Manager, upstream: Answering) -> ContextReason | None:
    """Warm a session up with a prime, and return how its first turn was planned."""
    async with asyncio.timeout(PATIENCE_S):
        await manager.warm(ONE, "s", asked())
        upstream.events = raw.ANSWER
        async with manager.turn(ONE, asked()) as turn:
            assert [batch async for batch in turn.batches()]
    return turn.report().context_reason


async def test_the_first_turn_continues_an_empty_answer():
    async with answered() as (manager, upstream):
        upstream.events = EMPTY
        assert await context_after_warm_up(manager, upstream) is ContextReason.PRIMED


@pytest.mark.parametrize("events", [raw.ANSWER, FAILED], ids=["generated", "failed"])
async def test_any_other_answer_is_not_continued(events):
    async with answered() as (manager, upstream):
        upstream.events = events
        reason = await context_after_warm_up(manager, upstream)
    assert reason not in (None, ContextReason.PRIMED, ContextReason.CONTINUED)


async def test_a_session_is_free_after_a_failed_warm_up():
    async with answered() as (manager, upstream), asyncio.timeout(PATIENCE_S):
        upstream.refuses.add("ws")
        with pytest.raises(TurnError):
            await manager.warm(ONE, "s", None)
        async with manager.turn(ONE, asked()) as turn:
            assert not turn.fork


async def test_a_turn_waits_for_the_warm_up_of_its_session():
    async with answered() as (manager, upstream), asyncio.timeout(PATIENCE_S):
        warming = asyncio.create_task(manager.warm(ONE, "s", None))
        while not upstream.handshakes:  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0)
        async with manager.turn(ONE, asked()) as turn:
            assert not turn.fork
            assert warming.done()
            assert [batch async for batch in turn.batches()]
    assert turn.report().connection_reused


async def test_a_warm_up_that_waits_for_its_rate_ends_with_the_service():
    async with answered(max_dials=2) as (manager, _), asyncio.timeout(PATIENCE_S):
        manager._rate = warm_up_rate(2, lambda: 0.0)
        await manager.warm(ONE, "a", None)
        await manager.warm(ONE, "b", None)
        waiting = asyncio.create_task(manager.warm(ONE, "c", None))
        await asyncio.sleep(0)
        manager.refuse()
        for _ in range(5):
            await asyncio.sleep(0)
        assert waiting.done(), "at once, not when its time has come"
        with pytest.raises(TurnError) as caught:
            await waiting
    assert caught.value.reason is Reason.SHUTTING_DOWN


async def test_a_session_that_was_released_during_its_warm_up_is_shown_all_the_same():
    async with answered() as (manager, upstream), asyncio.timeout(PATIENCE_S):
        warming = asyncio.create_task(manager.warm(ONE, "s", None))
        while not upstream.handshakes:  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0)
        manager.release("one", "s")
        assert (await warming).session_id == "s"


@pytest.mark.parametrize(("max_dials", "per_second"), [(1, "1"), (64, "32")])
async def test_the_rate_is_half_of_the_dials_a_second(max_dials, per_second):
    rate = warm_up_rate(max_dials, lambda: 0.0)
    for _ in range(max_dials):
        await rate.wait("one", 0.0)
    with pytest.raises(TurnError, match=f"{per_second} a second .half of TRUNKLINE_MAX_DIALS"):
        await rate.wait("one", 0.0)
    await rate.wait("two", 0.0)
