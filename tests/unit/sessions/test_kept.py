import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.keeping import State
from tests.integration.rpc.fakes import ANSWER, COMPLETED, STARTED, text
from tests.unit.sessions.keeping import CALLER, Keeping

LOST = TurnError(Reason.CONNECTION_LOST, "gone")


async def first_batch(reader):
    batches = reader.batches()
    batch = await anext(batches)
    await batches.aclose()
    return batch


async def first_batch_after_start(reader):
    await first_batch(reader)
    return await first_batch(reader)


async def test_a_turn_lives_through_its_states():
    go = asyncio.Event()
    keeping = Keeping([STARTED], go, [text("a")], [COMPLETED])
    async with keeping.read() as reader:
        assert await first_batch(reader) == [STARTED]
        turn = keeping.turn
        assert (turn.state, turn.reader) == (State.READ, reader)
    assert (turn.state, turn.reader) == (State.LINGERING, None)
    go.set()
    await keeping.ended()
    assert (turn.state, turn._turn, turn._task) == (State.KEPT, None, None)
    async with keeping.read(after=1) as reader:
        assert (turn.state, turn.reader) == (State.ENDED_READ, reader)
    assert repr(turn).startswith("KeptTurn(kept, 3 events, ")
    turn.forget()
    assert (turn.state, len(keeping.kept), keeping.room.bytes) == (State.GONE, 0, 0)
    assert len(keeping.begun) == 1


async def test_alone_it_is_stopped_after_the_linger():
    keeping = Keeping([STARTED], asyncio.Event())
    async with keeping.read(linger_s=0.01) as reader:
        await first_batch(reader)
        turn = keeping.turn
    await keeping.begun[0].left.wait()
    assert keeping.begun[0].left_by is asyncio.CancelledError
    await turn.stopped()
    assert (turn.state, keeping.room.bytes, turn.failure.reason) == (State.GONE, 0, Reason.CANCELLED)


async def test_without_a_linger_it_stops_with_its_reader():
    keeping = Keeping([STARTED], asyncio.Event())
    async with keeping.read(linger_s=0) as reader:
        await first_batch(reader)
    assert len(keeping.kept) == 0
    await keeping.begun[0].left.wait()


async def test_the_linger_of_the_newest_call_counts():
    keeping = Keeping([STARTED], asyncio.Event())
    async with keeping.read(linger_s=60) as reader:
        await first_batch(reader)
    assert keeping.turn._timer is not None
    async with keeping.read(linger_s=0):
        assert keeping.turn._timer is None
    assert len(keeping.kept) == 0
    await keeping.kept.close()


async def test_what_an_error_says_of_the_turn_outlives_it():
    keeping = Keeping([STARTED], LOST)
    async with keeping.read(linger_s=0) as reader:
        with pytest.raises(TurnError, match="gone"):
            await first_batch_after_start(reader)
    assert (reader.dispatched, reader.report().turn_id, reader.usage.total_tokens) == (True, "turn_1", 2)
    assert (reader.partial(), keeping.room.bytes) == (ANSWER, 0)


@pytest.mark.parametrize("dispatched", [True, False])
async def test_only_a_failure_of_what_was_sent_is_kept(dispatched):
    keeping = Keeping([STARTED], LOST)
    keeping.dispatched = dispatched
    for _ in range(2):
        with pytest.raises(TurnError) as caught:
            await keeping.events()
        assert caught.value.reason is Reason.CONNECTION_LOST
    assert (len(keeping.begun), len(keeping.kept)) == ((1, 1) if dispatched else (2, 0))
    await keeping.kept.close()
    assert keeping.room.bytes == 0


async def test_a_turn_that_was_not_admitted_is_forgotten():
    keeping = Keeping()
    keeping.refused = TurnError(Reason.OVERLOADED, "full")
    async with keeping.read() as reader:
        with pytest.raises(TurnError, match="full"):
            await first_batch(reader)
        assert (reader.dispatched, reader.report().turn_id, reader.partial()) == (False, "", None)
    assert (len(keeping.kept), keeping.room.bytes) == (0, 0)


async def test_a_turn_that_was_cancelled_is_forgotten():
    keeping = Keeping([STARTED], TurnError(Reason.CANCELLED, "stop"))
    with pytest.raises(TurnError, match="stop"):
        await keeping.events()
    assert len(keeping.kept) == 0


async def test_a_failure_after_the_answer_concerns_nobody():
    keeping = Keeping([STARTED, COMPLETED])
    keeping.at_exit = LOST
    assert await keeping.events() == [STARTED, COMPLETED]
    assert keeping.turn.failure is None
    await keeping.kept.close()


async def test_stopped_before_its_first_step():
    keeping = Keeping([STARTED])
    async with keeping.read() as reader:
        keeping.turn.forget()
        with pytest.raises(TurnError) as caught:
            await first_batch(reader)
    assert (caught.value.reason, keeping.room.bytes, keeping.begun) == (Reason.CANCELLED, 0, [])


async def test_what_is_forgotten_is_kept_for_its_reader():
    keeping = Keeping([STARTED, text("a")], [COMPLETED])
    async with keeping.read() as reader:
        await keeping.ended()
        keeping.turn.forget()
        assert keeping.room.bytes > 0
        assert [event async for batch in reader.batches() for event in batch][-1] is COMPLETED
    assert keeping.room.bytes == 0


async def test_what_its_reader_has_got_makes_room():
    deltas = [[text(f"{number:0100}")] for number in range(100)]
    keeping = Keeping([STARTED], *deltas, [COMPLETED], per_turn=10_000)
    events = await keeping.events()
    assert len(events) == 102
    turn = keeping.turn
    assert 0 < turn.dropped < turn.last_sequence == 102
    assert keeping.room.bytes == turn._bytes <= 10_000
    assert await keeping.events(after=turn.dropped) == events[turn.dropped :]
    await keeping.kept.close()


async def test_alone_it_waits_for_room():
    deltas = [[text(f"{number:0100}")] for number in range(100)]
    keeping = Keeping([STARTED], *deltas, [COMPLETED], per_turn=10_000)
    async with keeping.read():
        pass
    await keeping.waits()
    waits_at = keeping.turn.last_sequence
    assert waits_at < 50
    assert len(await keeping.events()) == 102
    await keeping.kept.close()


async def test_a_full_replica_makes_alone_turns_wait_and_read_ones_go_on():
    big = [text("x" * 5000)]
    keeping = Keeping([STARTED], big, big, big, [COMPLETED], most=60_000)
    keeping.room.take("other", 45_000)
    async with keeping.read():
        pass
    await keeping.waits()
    keeping.room.release("other", 45_000)
    await keeping.ended()
    assert keeping.turn.last_sequence == 5
    keeping.turn.forget()
    keeping.room.take(CALLER.tenant, 15_000)
    assert len(await keeping.events("k2")) == 5
    assert keeping.turn.dropped
    await keeping.kept.close()


async def test_a_thing_too_big_for_the_bound_passes_alone():
    keeping = Keeping([STARTED], [text("x" * 5000)], [COMPLETED], per_turn=5_000)
    assert len(await keeping.events()) == 3
    await keeping.kept.close()


async def test_the_request_is_held_until_the_turn_has_ended():
    go = asyncio.Event()
    keeping = Keeping([STARTED], go, [COMPLETED])
    with keeping.budget.hold(CALLER, 100_000) as hold:
        async with keeping.read(hold=hold) as reader:
            await first_batch(reader)
    assert keeping.budget.bytes == 100_000
    go.set()
    await keeping.ended()
    assert keeping.budget.bytes == 0
    await keeping.kept.close()
