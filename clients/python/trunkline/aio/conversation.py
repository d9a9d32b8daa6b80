"""A conversation over asyncio: `History` keeps the messages, the client makes the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, Unpack

from trunkline.aio.run import AsyncRun
from trunkline.aio.turn import AsyncTurn
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
from trunkline.tools import Tools

if TYPE_CHECKING:
    from trunkline.aio.client import AsyncClient

T = TypeVar("T")


class AsyncConversation(History):
    """Keeps the messages, and what the model said as it said it, so that each next turn is incremental.

    `messages` is yours to read and to edit. A turn that fails or is left leaves it as it was.
    """

    client: AsyncClient

    def stream(
        self,
        given: Input | None = None,
        *,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> AsyncTurn:
        """One turn: all messages, then what is given, if anything. Sent at the first read."""
        request, settle = self._ask(StreamCompletionRequest, given, request_id, options)
        return self.client.stream_request(
            request, timeout=timeout, settle=settle, resume=self._resumes(options)
        )

    async def complete(
        self,
        given: Input | None = None,
        *,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> Done:
        """The same turn in one piece. Cancelling it cancels the turn."""
        request, settle = self._ask(CompleteRequest, given, request_id, options)
        done = None
        try:
            done = await self.client.complete_request(request, timeout=timeout, resume=self._resumes(options))
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
    ) -> AsyncRun:
        """Calls the tools that the model asks for, turn after turn, until it stops asking: see `AsyncRun`."""
        self.declare(tools)

        def turn(given: Input | None) -> AsyncTurn:
            return self.stream(given, timeout=timeout, request_id=request_id, **options)

        return AsyncRun(self, turn, given, max_rounds)

    async def parse(
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
        async with self.run(
            given,
            tools=tools,
            max_rounds=max_rounds,
            timeout=timeout,
            request_id=request_id,
            **options,
        ) as run:
            return output.parse(await run.result())

    def answer(
        self,
        items: Items,
        *,
        tools: Tools = (),
        max_rounds: int = MAX_ROUNDS,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[Options],
    ) -> AsyncRun:
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

    async def compact(self, *, timeout: float | None = None, request_id: str = "") -> Compaction:
        """Shorten the conversation at the upstream: `messages` become those of the result.

        Raises RuntimeError while a turn is open. A compaction that fails changes nothing.
        """
        request, settle = self._compact(request_id)
        compaction = None
        try:
            compaction = await self.client.compact_request(request, timeout=timeout)
            return compaction
        finally:
            settle(compaction)

    async def warm(self, *, prime: bool = True, timeout: float | None = None) -> Session:
        """Opens the line before the first turn; `prime` also sends instructions and tools ahead."""
        return await self.client.warm_session(
            self.session_id,
            model=self.model,
            instructions=self.instructions,
            tools=self.tools,
            prime=prime,
            timeout=timeout,
        )

    async def release(self, *, timeout: float | None = None) -> None:
        """Lets the service forget the session. The conversation itself is kept here and can go on."""
        await self.client.release_session(self.session_id, timeout=timeout)
