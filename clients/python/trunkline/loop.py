"""The tool loop, without I/O.

Open calls are answered first, then a turn is made, until the model asks for nothing or waits for an action,
or the rounds are used up. No tool runs twice: results are added to the conversation as soon as they exist, so
a turn that fails afterwards can be repeated without running its tools again.
"""

from collections.abc import Iterable

import grpc

from trunkline.errors import TurnCancelledError
from trunkline.events import ACTION_REQUIRED, Done, Event
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.history import History
from trunkline.messages import Input
from trunkline.tools import Prepared, prepare

MAX_ROUNDS = 32


class ToolLoop:
    """What `AsyncRun` and `SyncRun` share. What is given goes with the first turn."""

    def __init__(self, history: History, given: Input | None, max_rounds: int) -> None:
        if max_rounds < 1:
            raise ValueError("max_rounds: at least 1")
        self._history = history
        self._given = given
        self._rounds_left = max_rounds
        self._first = True
        self._done: Done | None = None
        self._cancelled = False
        self._ended = False

    @property
    def done(self) -> Done:
        """The end of the last turn that ended well."""
        if self._done is None:
            raise RuntimeError("no turn of this run has ended: read its events first, or use result()")
        return self._done

    def _goes_on(self) -> bool:
        """Another turn follows. Raises, once, where `cancel` stopped the run between two turns."""
        if self._cancelled:
            self._cancelled, self._ended = False, True
            status = grpc.StatusCode.CANCELLED
            raise TurnCancelledError(status.name, "cancel() was called", status=status, sent=False)
        if self._ended or self._rounds_left == 0 or self._waits():
            return False
        return self._first or bool(self._history.open_calls())

    def _waits(self) -> bool:
        """The model waits for an action. Open calls are left to the run that brings its result."""
        return self._done is not None and self._done.stop_reason == ACTION_REQUIRED

    def _calls(self) -> list[Prepared]:
        """What must be called before the next turn."""
        tools = {tool.name: tool for tool in self._history.tools}
        return [prepare(call, tools) for call in self._history.open_calls()]

    def _answer(self, results: Iterable[Message]) -> None:
        """The results, in the order of the calls."""
        self._history.messages += results

    def _begin_round(self) -> Input | None:
        """Returns what goes with the turn."""
        self._rounds_left -= 1
        self._first = False
        given, self._given = self._given, None
        return given

    def _note(self, event: Event) -> Event:
        if isinstance(event, Done):
            self._done = event
        return event
