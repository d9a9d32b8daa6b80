import asyncio
from contextlib import aclosing

import pytest

from service.domain.errors import Reason, TurnError
from tests.integration.rpc.fakes import ANSWER, COMPLETED, STARTED, text
from tests.unit.sessions.keeping import Keeping


async def test_a_start_comes_alone_and_each_report_is_of_its_moment():
    keeping = Keeping([STARTED, text("a")], [text("b"), COMPLETED])
    async with keeping.read() as reader:
        await keeping.ended()
        batches = [batch async for batch in reader.batches()]
    assert batches == [[STARTED], [text("a"), text("b"), COMPLETED]]
    assert (reader.position, reader.completed, reader.attached) == (4, True, False)
    async with keeping.read(after=4) as again:
        assert [batch async for batch in again.batches()] == []
        assert again.completed
        assert (again.report().attached, again.report().turn_id) == (True, "turn_1")
    assert repr(again).startswith("Reader(after 4 of KeptTurn(")
    await keeping.kept.close()


async def test_while_it_runs_the_report_is_of_now():
    keeping = Keeping([STARTED, text("a")], asyncio.Event())
    async with keeping.read() as reader, aclosing(reader.batches()) as batches:
        assert await anext(batches) == [STARTED]
        assert await anext(batches) == [text("a")]
        assert (reader.dispatched, reader.completed) == (True, False)
        assert (reader.report().turn_id, reader.partial(), reader.usage.total_tokens) == ("turn_1", ANSWER, 2)
    await keeping.kept.close()


async def test_the_newest_call_owns_the_turn():
    keeping = Keeping([STARTED], asyncio.Event())

    async def older():
        async with keeping.read() as reader, aclosing(reader.batches()) as batches:
            assert await anext(batches) == [STARTED]
            async with keeping.read(after=1):
                with pytest.raises(TurnError, match="a newer call"):
                    await anext(batches)
                await asyncio.Event().wait()  # for its caller to read, say

    with pytest.raises(TurnError) as caught:
        await older()
    assert caught.value.reason is Reason.TAKEN_OVER
    await keeping.kept.close()


async def test_who_is_taken_over_twice_ends_once():
    keeping = Keeping([STARTED], asyncio.Event())

    async def older():
        async with keeping.read() as reader:
            reader.take_over()
            try:
                await asyncio.Event().wait()
            finally:
                reader.take_over()

    with pytest.raises(TurnError, match="a newer call"):
        await older()
    await keeping.kept.close()


async def test_a_timeout_of_something_else_is_none_of_it():
    keeping = Keeping([STARTED], asyncio.Event())
    with pytest.raises(TimeoutError):
        async with keeping.read():
            raise TimeoutError
    await keeping.kept.close()


async def event_of(batches):
    """The next batch with events; the heartbeats before it do not matter."""
    while not (batch := await anext(batches)):
        pass
    return batch


async def test_heartbeats_while_nothing_happens():
    go = asyncio.Event()
    keeping = Keeping([STARTED], go, [COMPLETED])
    async with keeping.read(heartbeat_s=0.01) as reader, aclosing(reader.batches()) as batches:
        assert await event_of(batches) == [STARTED]
        assert [await anext(batches) for _ in range(2)] == [[], []]
        assert reader.position == 1
        go.set()
        assert await event_of(batches) == [COMPLETED]
    await keeping.kept.close()


async def test_no_heartbeat_before_anything_was_sent():
    go = asyncio.Event()
    keeping = Keeping(go, [STARTED])
    keeping.dispatched = False
    async with keeping.read(heartbeat_s=0.001) as reader, aclosing(reader.batches()) as batches:
        waiting = asyncio.ensure_future(anext(batches))
        done, _ = await asyncio.wait([waiting], timeout=0.02)
        assert not done
        go.set()
        assert await waiting == [STARTED]
    await keeping.kept.close()


async def test_more_events_than_the_turn_ever_has():
    go = asyncio.Event()
    keeping = Keeping([STARTED], go, [COMPLETED])
    async with keeping.read():
        pass
    async with keeping.read(after=3) as reader:
        go.set()
        with pytest.raises(TurnError, match="after_sequence: is 3, but the turn has had 2 events") as caught:
            await anext(reader.batches())
        assert caught.value.reason is Reason.INVALID_REQUEST
    with pytest.raises(TurnError, match="after_sequence"):
        await keeping.events(after=3)
    await keeping.kept.close()


async def test_an_error_is_one_event_more():
    keeping = Keeping([STARTED], TurnError(Reason.CONNECTION_LOST, "gone"))
    for after in (0, 1, 2):
        with pytest.raises(TurnError, match="gone"):
            await keeping.events(after=after)
    with pytest.raises(TurnError, match="after_sequence"):
        await keeping.events(after=3)
    await keeping.kept.close()


async def test_what_is_no_longer_kept():
    deltas = [[text(f"{number:0100}")] for number in range(100)]
    keeping = Keeping([STARTED], *deltas, [COMPLETED], per_turn=10_000)
    await keeping.events()
    with pytest.raises(TurnError, match="TRUNKLINE_MAX_KEPT_BYTES_PER_TURN") as caught:
        await keeping.events(after=1)
    assert (caught.value.reason, caught.value.retryable) == (Reason.OVERLOADED, False)
    assert (await keeping.events(streams=False))[-1] is COMPLETED
    await keeping.kept.close()
