"""The asyncio client. Its channel belongs to a loop; the next loop gets another."""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self, Unpack

import grpc

from trunkline.aio.conversation import AsyncConversation
from trunkline.aio.session_calls import AsyncSessionCalls
from trunkline.aio.turn import AsyncTurn, Call, Sleep
from trunkline.compaction import Compaction, compaction_from
from trunkline.events import Done, done_from
from trunkline.failures import error_from
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1 import session_pb2
from trunkline.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.gen.trunkline.v1.session_pb2_grpc import SessionServiceStub
from trunkline.lingering import STOP_S, is_left
from trunkline.options import Options, ServiceTier
from trunkline.requests import cancel_request, compact_request, turn_request
from trunkline.tools import Tools
from trunkline.tracing import CallSpan
from trunkline.turn import Settle


class AsyncClient(AsyncSessionCalls):
    """The client of one Trunkline service, for asyncio. Make one and keep it: its calls share a connection.

    `async with AsyncClient("127.0.0.1:50051") as client:`, or `await client.aclose()` at the end.
    """

    _channel: grpc.aio.Channel | None = None
    _loop: asyncio.AbstractEventLoop
    _sleep: Sleep = staticmethod(asyncio.sleep)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the running calls. The client may be used again: it then reconnects."""
        for stop in self._lingering.cancel_all():
            await stop.code()
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close(None)

    def conversation(
        self,
        session_id: str | None = None,
        *,
        model: str,
        instructions: str = "",
        tools: Tools = (),
        messages: Iterable[Message] = (),
        continuation: str = "",
        **options: Unpack[Options],
    ) -> AsyncConversation:
        """A conversation that keeps its messages. Without a session id it gets one of its own.

        `messages` and `continuation` of an earlier one let it go on.
        """
        return AsyncConversation(
            self,
            session_id,
            model=model,
            instructions=instructions,
            tools=tools,
            messages=messages,
            options=options,
            continuation=continuation,
        )

    def stream(
        self,
        *,
        session_id: str,
        model: str,
        messages: Iterable[Message],
        instructions: str = "",
        tools: Tools = (),
        timeout: float | None = None,
        request_id: str = "",
        turn_key: str = "",
        after_sequence: int = 0,
        continuation: str = "",
        **options: Unpack[Options],
    ) -> AsyncTurn:
        """One turn, all of it given; nothing is kept. A conversation does this for you.

        With the `turn_key` of a turn that runs, or has ended and is kept (`linger`), its events come from
        `after_sequence` + 1 on, and no other turn begins.
        """
        return self.stream_request(
            turn_request(
                pb.StreamCompletionRequest,
                session_id=session_id,
                model=model,
                messages=messages,
                instructions=instructions,
                tools=tools,
                request_id=request_id,
                options=options,
                turn_key=turn_key,
                after_sequence=after_sequence,
                continuation=continuation,
            ),
            timeout=timeout,
            resume=bool(options.get("resume")),
        )

    async def complete(
        self,
        *,
        session_id: str,
        model: str,
        messages: Iterable[Message],
        instructions: str = "",
        tools: Tools = (),
        timeout: float | None = None,
        request_id: str = "",
        turn_key: str = "",
        continuation: str = "",
        **options: Unpack[Options],
    ) -> Done:
        """The same turn in one piece."""
        return await self.complete_request(
            turn_request(
                pb.CompleteRequest,
                session_id=session_id,
                model=model,
                messages=messages,
                instructions=instructions,
                tools=tools,
                request_id=request_id,
                options=options,
                turn_key=turn_key,
                continuation=continuation,
            ),
            timeout=timeout,
            resume=bool(options.get("resume")),
        )

    async def compact(
        self,
        session_id: str,
        *,
        model: str,
        messages: Iterable[Message],
        instructions: str = "",
        store: bool | None = None,
        prompt_cache_key: str | None = None,
        service_tier: ServiceTier | None = None,
        timeout: float | None = None,
        request_id: str = "",
    ) -> Compaction:
        """Shorten a conversation at the upstream: the `messages` of the result replace the given ones."""
        return await self.compact_request(
            compact_request(
                session_id=session_id,
                model=model,
                messages=messages,
                instructions=instructions,
                request_id=request_id,
                store=store,
                prompt_cache_key=prompt_cache_key,
                service_tier=service_tier,
            ),
            timeout=timeout,
        )

    def stream_request(
        self,
        request: pb.StreamCompletionRequest,
        *,
        timeout: float | None = None,
        settle: Settle | None = None,
        resume: bool = False,
    ) -> AsyncTurn:
        """A turn of a request that was put together elsewhere; `settle` is called with its end.

        `resume` needs a turn key.
        """

        def open_call(request: pb.StreamCompletionRequest, left: float | None) -> Call:
            stub = CompletionServiceStub(self._open_channel())
            with CallSpan(CompletionServiceStub, "StreamCompletion") as span:
                metadata = self._metadata(request.session_id)
                call: Call = stub.StreamCompletion(request, timeout=left, metadata=metadata)
                return span.ends_with(call)

        attempts = self._attempts(timeout, resumes=resume)
        turn = AsyncTurn(
            open_call, self._sleep, request, attempts, settle, stop=self._stop if resume else None
        )
        if resume:
            self._lingering.add(turn)
        return turn

    async def complete_request(
        self, request: pb.CompleteRequest, *, timeout: float | None = None, resume: bool = False
    ) -> Done:
        try:
            return done_from(
                await self._unary(CompletionServiceStub, "Complete", request, timeout, resume=resume)
            )
        except BaseException as error:
            if resume and is_left(error):
                self._stop(cancel_request(request.session_id, turn_key=request.turn_key))
            raise

    async def compact_request(
        self, request: pb.CompactRequest, *, timeout: float | None = None
    ) -> Compaction:
        return compaction_from(await self._unary(CompletionServiceStub, "Compact", request, timeout))

    async def _unary(
        self,
        service: Any,
        method: str,
        request: Any,
        timeout: float | None,
        *,
        resume: bool = False,
        near: str = "",
    ) -> Any:
        attempts = self._attempts(timeout, resumes=resume)
        while True:
            channel = self._open_channel()
            call = getattr(service(channel), method)
            try:
                with CallSpan(service, method):
                    metadata = self._metadata(near or getattr(request, "session_id", ""))
                    return await call(request, timeout=attempts.begin(), metadata=metadata)
            except grpc.RpcError as failed:
                error = error_from(failed)
                delay = attempts.delay(error)
                if delay is None or self._channel is not channel:
                    raise attempts.verdict(error) from failed
            await self._sleep(delay)

    def _stop(self, request: session_pb2.CancelTurnRequest) -> None:
        """Stop a turn in the background. A closed client has stopped its turns before."""
        if self._channel is not None:
            with CallSpan(SessionServiceStub, "CancelTurn") as span:
                stub = SessionServiceStub(self._channel)
                metadata = self._metadata(request.session_id)
                stop = stub.CancelTurn(request, timeout=STOP_S, metadata=metadata)
                self._lingering.note(span.ends_with(stop))

    def _open_channel(self) -> grpc.aio.Channel:
        if self._channel is None or self._loop.is_closed():  # a channel ends with its loop
            self._loop = asyncio.get_running_loop()
            target, options = self.settings.address, self.settings.options()
            credentials = self.settings.credentials()
            self._channel = (
                grpc.aio.insecure_channel(target, options)
                if credentials is None
                else grpc.aio.secure_channel(target, credentials, options)
            )
        return self._channel
