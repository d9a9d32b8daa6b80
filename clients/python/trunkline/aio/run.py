"""The tool loop over asyncio. `ToolLoop` decides what comes next."""

import asyncio
from collections.abc import Callable

from trunkline.aio.events import AsyncEvents
from trunkline.aio.turn import AsyncTurn, task_is_cancelled
from trunkline.events import Event
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.history import History
from trunkline.loop import ToolLoop
from trunkline.messages import Input


class AsyncRun(ToolLoop, AsyncEvents):
    """The events of all turns, each turn with its `Start` and `Done`; `done` is the last one.

    The calls of one answer run side by side: coroutine functions here, others in threads. A tool's
    errors are reported to the model. After `max_rounds` turns the run ends although the model may still ask
    (`stop_reason` is then "tool_use"); the next run, or one after a turn that failed, goes on from there. It
    also ends where the model waits for an action ("action_required"): `conversation.answer` goes on with what
    answers `done.actions`.
    """

    def __init__(
        self,
        history: History,
        turn: Callable[[Input | None], AsyncTurn],
        given: Input | None,
        max_rounds: int,
    ) -> None:
        super().__init__(history, given, max_rounds)
        self._make_turn = turn
        self._turn: AsyncTurn | None = None
        self._results: asyncio.Future[list[Message]] | None = None

    async def __anext__(self) -> Event:
        while self._turn is not None or self._goes_on():
            if self._turn is None and not await self._next_turn():
                continue
            assert self._turn is not None
            try:
                return self._note(await anext(self._turn))
            except StopAsyncIteration:
                self._turn = None
        raise StopAsyncIteration

    def cancel(self) -> None:
        """Stops the turn, or the tools where they run in the loop; a thread runs to its end unheard."""
        if self._turn is not None and not self._turn.ended:
            self._ended = True
            self._turn.cancel()
        elif not self._ended:
            self._cancelled = True
            if self._results is not None:
                self._results.cancel()

    async def aclose(self) -> None:
        self._ended = True
        if self._turn is not None:
            await self._turn.aclose()

    async def _next_turn(self) -> bool:
        """Answers the open calls and makes the turn. False: `cancel` came between."""
        if calls := self._calls():
            self._results = asyncio.gather(*(call.run_async() for call in calls))
            try:
                self._answer(await self._results)
            except asyncio.CancelledError:
                if self._cancelled and not task_is_cancelled():
                    return False
                raise
        self._turn = self._make_turn(self._begin_round())
        return True
