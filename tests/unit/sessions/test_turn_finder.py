import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.report import TurnView
from service.sessions.registry import Registry
from service.sessions.running import Running
from service.sessions.turn import Turn
from service.sessions.turn_finder import MAX_VIEWS, TurnFinder
from tests.integration.rpc.fakes import COMPLETED, STARTED
from tests.unit.sessions.keeping import Keeping


class FakeTurn(Turn):
    """A turn without a reader of its own, which runs until it is interrupted."""

    def __init__(self, turn_id, *, tenant="one", key="", began=2.0, warms_up=False):
        self.session: Any = SimpleNamespace(tenant=tenant, id="s")
        self.warms_up = warms_up
        self.reason: Reason | None = None
        self.ended = asyncio.Event()
        self._view = TurnView(turn_id, key, began, attached=True, ended=False, last_sequence=3)

    def view(self):
        return self._view

    def interrupt(self, reason: Reason = Reason.INTERRUPTED) -> None:
        self.reason = reason
        self.ended.set()


@asynccontextmanager
async def finding(keeping: Keeping, *turns: Any):
    """A finder of the kept turns and of these, which run."""
    running = Running()

    async def run(turn):
        with running.turn(turn):
            await turn.ended.wait()

    async with asyncio.TaskGroup() as tasks:
        for turn in turns:
            tasks.create_task(run(turn))
        await asyncio.sleep(0)
        yield TurnFinder(Registry(10, 60.0), running, keeping.kept)
        for turn in turns:
            turn.ended.set()
        await keeping.kept.close()


async def test_turns_are_shown_by_session_the_oldest_first():
    keeping = Keeping([STARTED, COMPLETED])
    turns = (
        FakeTurn("young"),
        FakeTurn("keyed", key="k"),
        FakeTurn("warm-up", warms_up=True),
        FakeTurn("other", tenant="two"),
    )
    async with finding(keeping, *turns) as finder:
        await keeping.events()
        shown = finder.views("one")
        assert list(shown) == ["s"]
        assert [(view.turn_id, view.turn_key, view.ended) for view in shown["s"]] == [
            ("turn_1", "k", True),
            ("young", "", False),
        ]
        assert [view.turn_id for view in finder.views("two")["s"]] == ["other"]
        assert finder.views("three") == {}


async def test_a_turn_that_waits_for_its_place_is_shown_too():
    keeping = Keeping(asyncio.Event())
    async with finding(keeping) as finder, keeping.read():
        (view,) = finder.views("one")["s"]
        assert view == TurnView("", "k", 1.0, attached=True, ended=False, last_sequence=0)


async def test_no_more_than_so_many_are_shown():
    turns = [FakeTurn(str(number), began=float(number)) for number in range(MAX_VIEWS + 1)]
    async with finding(Keeping(), *reversed(turns)) as finder:
        shown = finder.views("one")["s"]
        assert [view.turn_id for view in shown] == [str(number) for number in range(MAX_VIEWS)]


@pytest.mark.parametrize("name", [{"turn_key": "k"}, {"turn_id": "turn_1"}])
@pytest.mark.parametrize("ends", [False, True])
async def test_a_kept_turn_is_stopped_and_forgotten(name, ends):
    keeping = Keeping([STARTED], *([[COMPLETED]] if ends else [asyncio.Event()]))
    async with finding(keeping) as finder:
        async with keeping.read() as reader:
            await anext(reader.batches())
        await finder.cancel("one", "s", **name)
        assert keeping.begun[0].left.is_set()
        assert len(keeping.kept) == 0


async def test_a_turn_without_a_key_is_stopped_by_its_id():
    turn = FakeTurn("t")
    async with finding(Keeping(), turn) as finder:
        await finder.cancel("one", "s", turn_id="t")
        assert (turn.reason, finder.views("one")) == (Reason.CANCELLED, {})


@pytest.mark.parametrize(
    ("tenant", "session", "name"),
    [
        ("two", "s", {"turn_id": "t"}),
        ("two", "s", {"turn_key": "k"}),
        ("one", "other", {"turn_id": "t"}),
        ("one", "other", {"turn_id": "turn_1"}),
        ("one", "s", {"turn_id": "unknown"}),
        ("one", "s", {"turn_key": "unknown"}),
    ],
)
async def test_other_turns_are_unknown(tenant, session, name):
    keeping, turn = Keeping([STARTED], asyncio.Event()), FakeTurn("t")
    async with finding(keeping, turn) as finder, keeping.read() as reader:
        await anext(reader.batches())
        with pytest.raises(TurnError) as caught:
            await finder.cancel(tenant, session, **name)
        assert (caught.value.reason, turn.reason, reader.completed) == (Reason.TURN_NOT_FOUND, None, False)
