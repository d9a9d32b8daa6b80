import asyncio
from contextlib import suppress

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Credential
from tests.unit.sessions.answering import PATIENCE_S, answered, asked, managing

ONE = Caller("one")


async def wait_in_turn(manager, session: str) -> None:
    async with manager.turn(ONE, asked(session=session)):
        await asyncio.Event().wait()


async def test_after_refuse_every_beginning_is_refused():
    async with managing() as manager:
        manager.refuse()
        with pytest.raises(TurnError) as checked:
            manager.check(ONE)
        with pytest.raises(TurnError) as turned:
            async with manager.turn(ONE, asked()):
                pytest.fail("it was admitted")
        with pytest.raises(TurnError) as warmed:
            await manager.warm(ONE, "s", None)
    assert {error.value.reason for error in (checked, turned, warmed)} == {Reason.SHUTTING_DOWN}


async def test_a_turn_too_many_is_refused_by_the_check_too():
    async with managing(max_turns=1) as manager, manager.turn(ONE, asked()):
        with pytest.raises(TurnError) as checked:
            manager.check(Caller("two"))
        with pytest.raises(TurnError) as turned:
            async with manager.turn(Caller("two"), asked()):
                pytest.fail("it was admitted")
    assert checked.value.reason is turned.value.reason is Reason.OVERLOADED


async def test_the_place_is_free_after_an_error_of_the_block():
    async with managing(max_turns=1) as manager:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                async with manager.turn(ONE, asked()):
                    raise ZeroDivisionError
        assert (manager.counts().turns, manager.counts().sessions) == (0, 1)


async def test_a_queued_turn_whose_time_runs_out_is_overloaded():
    async with (
        managing(max_turns=1, queue_size=1, turn_timeout_s=0.05) as manager,
        manager.turn(ONE, asked()),
    ):
        queued = asyncio.create_task(wait_in_turn(manager, "t"))
        while not queued.done():
            with suppress(asyncio.CancelledError):  # the first turn's time runs out before
                await asyncio.wait([queued])
        error = queued.exception()
    assert isinstance(error, TurnError)
    assert (error.reason, error.message) == (Reason.OVERLOADED, "no place became free within 0.05 s")


async def test_a_turn_whose_time_runs_out_names_the_setting():
    async with managing(turn_timeout_s=0.05) as manager:
        with pytest.raises(TurnError, match="TRUNKLINE_TURN_TIMEOUT_S") as caught:
            await wait_in_turn(manager, "s")
    assert caught.value.reason is Reason.TIMEOUT


async def test_a_session_that_is_busy_is_forked():
    async with managing() as manager, manager.turn(ONE, asked()) as first:
        async with manager.turn(ONE, asked()) as second, manager.turn(Caller("two"), asked()) as other:
            assert (first.fork, second.fork, other.fork) == (False, True, False)
        async with manager.turn(ONE, asked()) as third:
            assert third.fork, "the end of a fork freed the session of the first turn"


async def test_sessions_are_shown_and_released_only_to_their_tenant():
    async with managing() as manager:
        for name in ("b", "a", "c"):
            async with manager.turn(ONE, asked(session=name)):
                pass
        manager.release("two", "a")
        assert [view.session_id for view in manager.finder.sessions("one", "a", 5)] == ["b", "c"]
        assert manager.finder.sessions("two", "", 5) == []
        manager.release("one", "a")
        with pytest.raises(TurnError) as caught:
            manager.finder.session("one", "a")
    assert caught.value.reason is Reason.SESSION_NOT_FOUND


async def test_the_oldest_session_makes_room_for_a_new_one():
    async with managing(max_sessions=2) as manager:
        for name in ("a", "b", "c"):
            async with manager.turn(ONE, asked(session=name)):
                pass
        assert [view.session_id for view in manager.finder.sessions("one", "", 5)] == ["b", "c"]


async def test_a_warm_up_opens_the_connection_that_the_turn_uses():
    async with answered() as (manager, upstream), asyncio.timeout(PATIENCE_S):
        assert (await manager.warm(ONE, "s", None)).live
        async with manager.turn(ONE, asked()) as turn:
            assert [batch async for batch in turn.batches()]
        assert turn.report().connection_reused
        assert (upstream.handshakes, manager.finder.session("one", "s").turns) == (1, 1)


async def test_another_key_never_gets_the_connection_of_the_first():
    async with answered(caller_keys=True) as (manager, upstream), asyncio.timeout(PATIENCE_S):
        reused = []
        for key in ("a", "a", "b"):
            async with manager.turn(Caller("one", key=Credential(key)), asked()) as turn:
                assert [batch async for batch in turn.batches()]
                reused.append(turn.report().connection_reused)
    assert (reused, upstream.handshakes) == ([False, True, False], 2)


async def test_the_drain_ends_what_outlives_its_grace():
    async with managing() as manager, asyncio.timeout(PATIENCE_S):
        running = asyncio.create_task(wait_in_turn(manager, "s"))
        while not manager.counts().turns:  # noqa: ASYNC110  nothing announces it
            await asyncio.sleep(0)
        await manager.drain(0.0)
        with pytest.raises(TurnError) as caught:
            await running
    assert caught.value.reason is Reason.SHUTTING_DOWN
