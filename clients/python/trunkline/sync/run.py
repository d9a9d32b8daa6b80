"""The blocking tool loop. `ToolLoop` decides what comes next."""

from collections.abc import Callable

from trunkline.events import Event
from trunkline.history import History
from trunkline.loop import ToolLoop
from trunkline.messages import Input
from trunkline.sync.events import SyncEvents
from trunkline.sync.turn import SyncTurn


class SyncRun(ToolLoop, SyncEvents):
    """The events of all turns, each turn with its `Start` and `Done`; `done` is the last one.

    The calls of one answer run one after the other. A tool's errors are reported to the model. After
    `max_rounds` turns the run ends although the model may still ask (`stop_reason` is then "tool_use"); the
    next run, or one after a turn that failed, goes on from there. It also ends where the model waits for an
    action ("action_required"): `conversation.answer` goes on with what answers `done.actions`.
    """

    def __init__(
        self,
        history: History,
        turn: Callable[[Input | None], SyncTurn],
        given: Input | None,
        max_rounds: int,
    ) -> None:
        super().__init__(history, given, max_rounds)
        if slow := [tool.name for tool in history.tools if tool.is_async]:
            raise TypeError(f"{', '.join(slow)}: coroutine functions need AsyncClient")
        self._make_turn = turn
        self._turn: SyncTurn | None = None

    def __next__(self) -> Event:
        while self._turn is not None or self._goes_on():
            if self._turn is None and not self._next_turn():
                continue
            assert self._turn is not None
            try:
                return self._note(next(self._turn))
            except StopIteration:
                self._turn = None
        raise StopIteration

    def cancel(self) -> None:
        """Stops the turn, or comes before the next tool: a tool that runs is waited for."""
        if self._turn is not None and not self._turn.ended:
            self._ended = True
            self._turn.cancel()
        elif not self._ended:
            self._cancelled = True

    def close(self) -> None:
        self._ended = True
        if self._turn is not None:
            self._turn.close()

    def _next_turn(self) -> bool:
        """Answers the open calls and makes the turn. False: `cancel` came between."""
        results = []
        for call in self._calls():
            if self._cancelled:
                return False
            results.append(call.run())
        self._answer(results)
        self._turn = self._make_turn(self._begin_round())
        return True
