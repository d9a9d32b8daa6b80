"""A streamed turn over asyncio: open, read, wait before a retry, stop. `Turn` interprets what comes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import grpc

from trunkline.aio.events import AsyncEvents
from trunkline.events import Event
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.retry import Attempts
from trunkline.turn import SETTLE_S, Settle, Stop, Turn

Call = grpc.aio.UnaryStreamCall[pb.StreamCompletionRequest, pb.StreamCompletionResponse]
Open = Callable[[pb.StreamCompletionRequest, float | None], Call]
Sleep = Callable[[float], Awaitable[None]]


class AsyncTurn(Turn[Call], AsyncEvents):
    """The events of one turn: `async for event in turn`.

    Leaving it early cancels the turn, down to the model: at the end of `async with turn:`, or else when
    nobody refers to the turn any more. Cancelling the task that reads does the same.
    """

    def __init__(
        self,
        open_call: Open,
        sleep: Sleep,
        request: pb.StreamCompletionRequest,
        attempts: Attempts,
        settle: Settle | None = None,
        *,
        stop: Stop | None = None,
    ) -> None:
        super().__init__(request, attempts, settle, stop)
        self._open = open_call
        self._sleep = sleep
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause: asyncio.Future[None] | None = None

    async def __anext__(self) -> Event:
        while not self._ended:
            response = await self._read()
            if response is not None and (event := self._receive(response)) is not None:
                return event
        self._raise_cancelled()
        await self.aclose()
        raise StopAsyncIteration

    def cancel(self) -> None:
        super().cancel()
        if self._pause is not None:
            self._pause.cancel()

    async def aclose(self) -> None:
        self._leave()
        call, self._call = self._call, None
        if call is None:
            return
        if self._done is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    await call.code()
        call.cancel()

    async def _read(self) -> pb.StreamCompletionResponse | None:
        """The next message; None: there is none, either for good (the turn has ended) or on this try."""
        if self._call is None:
            self._loop = asyncio.get_running_loop()
            self._call = self._open(self._next_request(), self._attempts.begin())
        try:
            response = await self._call.read()
        except grpc.RpcError as failure:
            self._call = None
            await self._wait(self._fail(failure))
            return None
        except asyncio.CancelledError:
            # grpc raises the same whether this task or only the call was cancelled.
            if self._cancelled and not task_is_cancelled():
                return None
            self._leave()
            raise
        if isinstance(response, pb.StreamCompletionResponse):
            return response
        delay = self._finish()
        if delay is not None:
            self._call = None
            await self._wait(delay)
        return None

    async def _wait(self, delay: float) -> None:
        self._pause = asyncio.ensure_future(self._sleep(delay))
        try:
            await self._pause
        except asyncio.CancelledError:
            if self._cancelled and not task_is_cancelled():
                return
            self._leave()
            raise

    def _can_stop(self) -> bool:
        """When a turn is collected, its loop may be closed."""
        return self._loop is not None and not self._loop.is_closed()


def task_is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
