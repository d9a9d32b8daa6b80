# Generated from trunkline/aio/conversation.py by `make fmt`, never edited.
"""A blocking conversation: `History` keeps the messages, the client makes the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, Unpack

from trunkline.compaction import Compaction
from trunkline.events import Done
from trunkline.gen.trunkline.v1.completion_pb2 import CompleteRequest, StreamCompletionRequest
from trunkline.history import History
from trunkline.items import Items, action_result, as_items
from trunkline.loop import MAX_ROUNDS
from trunkline.messages import Input
from trunkline.options import Options
from trunkline.output import Output, Parsed
from trunkline.sessions import Session
from trunkline.sync.run import SyncRun
from trunkline.sync.turn import SyncTurn
from trunkline.tools import Tools

if TYPE_CHECKING:
    from trunkline.sync.client import Client

T = TypeVar("T")


class Conversation(History):
    """Keeps the messages, and what the model said as it said it, so that each next turn is incremental.

    `messages` is yours to read and to edit. A turn that fails or is left leaves it as it was.
    """

    client: Client

    def stream(
        self,
        given: Input | None = None,
        *,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> SyncTurn:
        """One turn: all messages, then what is given, if anything. Sent at the first read."""
        request, settle = self._ask(StreamCompletionRequest, given, request_id, options)
        return self.client.stream_request(
            request, timeout=timeout, settle=settle, resume=self._resumes(options)
        )

    def complete(
        self,
        given: Input | None = None,
        *,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> Done:
        """The same turn in one piece."""
        request, settle = self._ask(CompleteRequest, given, request_id, options)
        done = None
        try:
            done = self.client.complete_request(request, timeout=timeout, resume=self._resumes(options))
            return done
        finally:
            settle(done)

    def run(
        self,
        given: Input | None = None,
        *,
        tools: Tools = (),
        max_rounds: int = MAX_ROUNDS,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> SyncRun:
        """Calls the tools that the model asks for, turn after turn, until it stops asking: see `SyncRun`."""
        self.declare(tools)

        def turn(given: Input | None) -> SyncTurn:
            return self.stream(given, timeout=timeout, request_id=request_id, **options)

        return SyncRun(self, turn, given, max_rounds)

    def parse(
        self,
        given: Input | None,
        kind: type[T] | Output[T],
        *,
        tools: Tools = (),
        max_rounds: int = MAX_ROUNDS,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> Parsed[T]:
        """Ask for an answer that fits a type, calling tools as `run` does: its value is `done.parsed`.

        Raises RefusalError where the model refuses, and OutputError where the answer does not fit; it is kept
        in `messages` all the same. See `Output`.
        """
        output = kind if isinstance(kind, Output) else Output(kind)
        options["text_format"] = output.format
        with self.run(
            given,
            tools=tools,
            max_rounds=max_rounds,
            timeout=timeout,
            request_id=request_id,
            **options,
        ) as run:
            return output.parse(run.result())

    def answer(
        self,
        items: Items,
        *,
        tools: Tools = (),
        max_rounds: int = MAX_ROUNDS,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> SyncRun:
        """Sends what answers the last answer's actions (see `done.actions`), and goes on as `run` does."""
        result = action_result(*as_items(items))
        return self.run(
            result,
            tools=tools,
            max_rounds=max_rounds,
            timeout=timeout,
            request_id=request_id,
            **options,
        )

    def compact(self, *, timeout: float | None = None, request_id: str = "") -> Compaction:
        """Shorten the conversation at the upstream: `messages` become those of the result.

        Raises RuntimeError while a turn is open. A compaction that fails changes nothing.
        """
        request, settle = self._compact(request_id)
        compaction = None
        try:
            compaction = self.client.compact_request(request, timeout=timeout)
            return compaction
        finally:
            settle(compaction)

    def warm(self, *, prime: bool = True, timeout: float | None = None) -> Session:
        """Opens the line before the first turn; `prime` also sends instructions and tools ahead."""
        return self.client.warm_session(
            self.session_id,
            model=self.model,
            instructions=self.instructions,
            tools=self.tools,
            prime=prime,
            timeout=timeout,
        )

    def release(self, *, timeout: float | None = None) -> None:
        """Lets the service forget the session. The conversation itself is kept here and can go on."""
        self.client.release_session(self.session_id, timeout=timeout)
