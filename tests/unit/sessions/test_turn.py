"""The ways of one turn: over a WebSocket, over SSE instead, or nowhere."""

import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Started
from service.domain.messages import Transport
from service.domain.plan import ContextReason
from service.domain.report import TransportReason
from service.domain.tenant import Caller
from tests.integration.faults import raw
from tests.unit.sessions.answering import PATIENCE_S, answered, asked

FAILED: raw.Event = {
    "type": "response.failed",
    "response": {"error": {"code": "server_error", "message": "broken"}},
}


async def run(manager, request):
    async with asyncio.timeout(PATIENCE_S), manager.turn(Caller("one"), request) as turn:
        events = [event async for batch in turn.batches() for event in batch]
    return events, turn


async def fail(manager, request):
    async with asyncio.timeout(PATIENCE_S), manager.turn(Caller("one"), request) as turn:
        with pytest.raises(TurnError) as caught:
            async for _ in turn.batches():
                pass
        return caught.value, turn


@pytest.mark.parametrize("transport", Transport)
async def test_a_turn_has_one_start_and_one_end(transport):
    async with answered() as (manager, _):
        events, turn = await run(manager, asked(transport=transport))
    assert isinstance(events[0], Started)
    assert [isinstance(event, Completed) for event in events].index(True) == len(events) - 1
    assert turn.completed
    assert turn.report().attempts == 1
    assert turn.report().transport is (Transport.SSE if transport is Transport.SSE else Transport.WEBSOCKET)


async def test_without_a_websocket_the_turn_runs_over_sse():
    async with answered() as (manager, upstream):
        upstream.refuses.add("ws")
        _, turn = await run(manager, asked())
    report = turn.report()
    assert (report.transport, report.transport_reason) == (Transport.SSE, TransportReason.CONNECT_FAILED)
    assert (report.attempts, upstream.posts) == (1, 1)


async def test_a_forced_websocket_never_falls_back():
    async with answered() as (manager, upstream):
        upstream.refuses.add("ws")
        error, turn = await fail(manager, asked(transport=Transport.WEBSOCKET))
    assert error.reason is Reason.CONNECT_FAILED
    assert (turn.dispatched, turn.completed, upstream.posts) == (False, False, 0)


async def test_a_failure_before_content_is_tried_once_again():
    async with answered() as (manager, upstream):
        upstream.events = [raw.ANSWER[0], FAILED]
        error, turn = await fail(manager, asked())
    assert (error.reason, turn.report().attempts) == (Reason.UPSTREAM_ERROR, 2)


async def test_safe_only_never_repeats_what_may_have_run():
    async with answered(replay="safe-only") as (manager, upstream):
        upstream.events = [raw.ANSWER[0], FAILED]
        error, turn = await fail(manager, asked())
    assert (error.reason, turn.report().attempts) == (Reason.UPSTREAM_ERROR, 1)


async def test_after_content_nothing_is_sent_again():
    async with answered() as (manager, upstream):
        upstream.events = [*raw.ANSWER[:3], FAILED]
        error, turn = await fail(manager, asked())
    assert (error.reason, turn.report().attempts) == (Reason.UPSTREAM_ERROR, 1)
    partial = turn.partial()
    assert partial is not None
    assert partial.parts[0].text == "Hello."


async def test_a_turn_left_early_closes_its_connection():
    async with answered() as (manager, upstream), asyncio.timeout(PATIENCE_S):
        upstream.events = raw.ANSWER[:3]
        async with manager.turn(Caller("one"), asked()) as turn:
            batches = turn.batches()
            await anext(batches)
            await batches.aclose()
        assert not manager.finder.session("one", "s").live
        upstream.events = raw.ANSWER
        _, turn = await run(manager, asked())
    assert not turn.report().connection_reused


async def interrupted(manager) -> None:
    async with manager.turn(Caller("one"), asked()) as turn:
        async for _ in turn.batches():
            turn.interrupt()


async def test_an_interrupt_during_the_answer_says_so():
    async with answered() as (manager, upstream), asyncio.timeout(PATIENCE_S):
        upstream.events = raw.ANSWER[:3]
        with pytest.raises(TurnError) as caught:
            await interrupted(manager)
    assert caught.value.reason is Reason.INTERRUPTED


async def test_a_fork_neither_takes_nor_changes_the_session():
    async with answered() as (manager, _), manager.turn(Caller("one"), asked()) as held:
        _, fork = await run(manager, asked())
        assert fork.report().context_reason is ContextReason.FORK
        assert [batch async for batch in held.batches()]
    assert held.report().context_reason is ContextReason.FIRST_TURN
