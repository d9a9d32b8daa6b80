import asyncio
from typing import Any

from service.sessions import running
from service.sessions.running import Running


class Turn:
    def __init__(self, *, warms_up=False):
        self.warms_up = warms_up
        self.endpoint = None
        self.ended = asyncio.Event()
        self.interrupted = False

    def interrupt(self):
        self.interrupted = True
        self.ended.set()


async def run(house, turn):
    with house.turn(turn):
        await turn.ended.wait()


async def begun(house, turn: Any):
    task = asyncio.create_task(run(house, turn))
    await asyncio.sleep(0)
    return task


async def test_a_turn_that_ends_in_its_grace_is_not_interrupted():
    house, turn = Running(), Turn()
    task = await begun(house, turn)
    assert len(house) == 1
    asyncio.get_running_loop().call_soon(turn.ended.set)
    await house.drain(30)
    await task
    assert (turn.interrupted, len(house)) == (False, 0)


async def test_a_turn_is_interrupted_after_the_grace():
    house, turn = Running(), Turn()
    task = await begun(house, turn)
    await house.drain(0)
    await task
    assert turn.interrupted


async def test_a_turn_that_ignores_its_interruption_blocks_no_drain(monkeypatch):
    monkeypatch.setattr(running, "INTERRUPTED_TURNS_S", 0.01)
    house, turn = Running(), Turn()
    turn.interrupt = lambda: None  # type: ignore[method-assign]
    task = await begun(house, turn)
    await house.drain(0)
    assert repr(house) == "Running(1 turns)"
    turn.ended.set()
    await task


async def test_a_warm_up_ends_at_once():
    house, turn = Running(), Turn(warms_up=True)
    task = await begun(house, turn)
    await house.drain(30)
    await task
    assert turn.interrupted


async def test_where_nothing_runs_a_drain_is_over():
    await Running().drain(30)


async def test_one_can_wait_for_the_end_of_a_turn():
    house, turn, other = Running(), Turn(), Turn()
    tasks = [await begun(house, turn), await begun(house, other)]
    awaited: Any = turn
    assert set(house) == {awaited, other}
    waiting = [asyncio.ensure_future(house.left(awaited)) for _ in range(2)]
    other.ended.set()
    await tasks[1]
    assert not any(task.done() for task in waiting)
    turn.ended.set()
    await asyncio.gather(*waiting, *tasks)
    assert house._awaited == {}
