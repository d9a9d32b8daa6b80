"""Sees every call, from metadata to status: `Observation`, the first interceptor of the server.

Owns how grpc.aio is watched without being in its way. grpc runs interceptors and handler of a call in one
task: so what is set here is seen there, and the end of that task is the end of the call, exactly once,
however it came. Between the two a handler is wrapped only as far as is needed to know how it ended; no
message passes through here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Container
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import grpc

from service.domain.errors import forget_frames
from service.telemetry import calls
from service.telemetry.calls import Call

EXCLUDED = ("/grpc.health.", "/grpc.reflection.")
"""Probes, many and all the same."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Coroutine = Callable[[Any, Any], Awaitable[Any]]
STYLES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class Observation(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs only
    """`methods` are those that exist: any other name is the caller's invention, and no name of a span."""

    def __init__(self, methods: Container[str]) -> None:
        self._methods = methods

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        if method.startswith(EXCLUDED):
            return await continuation(handler_call_details)
        known = method in self._methods
        call = calls.begin(method, handler_call_details.invocation_metadata, known=known)
        outcome = _CallOutcome(call)
        task = asyncio.current_task()
        assert task is not None, "grpc calls interceptors in a task"
        task.add_done_callback(outcome.finish)
        with outcome:
            handler: Handler | None = await continuation(handler_call_details)
        return outcome.watch(handler)


class _CallOutcome:
    """What is known of how a call went: its context, and what came out of its handler."""

    __slots__ = ("_blind", "_call", "_code", "_context", "_error")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._blind = False
        self._code: grpc.StatusCode | None = None
        self._context: Context | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._error = error

    def watch(self, handler: Handler | None) -> Handler:
        """The same handler, watched. One that blocks runs in a thread, with a context of another kind: none
        of ours does, and it is left alone.
        """
        if handler is None:
            self._code = grpc.StatusCode.UNIMPLEMENTED
            return cast(Handler, None)  # which grpc takes, and its stubs do not know
        style = next(style for style in STYLES if getattr(handler, style) is not None)
        behaviour = getattr(handler, style)
        if inspect.isasyncgenfunction(behaviour):
            behaviour = _writing(behaviour)
        elif not inspect.iscoroutinefunction(behaviour):
            self._blind = True
            return handler
        watched: dict[str, object] = {style: self._behaviour(behaviour)}
        if not handler.request_streaming and handler.request_deserializer is not None:
            watched["request_deserializer"] = self._deserializer(handler.request_deserializer)
        return cast(Handler, handler._replace(**watched))  # type: ignore[attr-defined]  # a namedtuple

    def finish(self, _task: object) -> None:
        """The task of the call is over.

        1. It was cut off: by cancellation, or by a write to a caller who had left. 2. It has no handler, or
        the request never came. 3. Its handler chose a status. 4. It failed without one, or all went well.
        """
        failed = "UNKNOWN" if self._error is not None else ""
        chosen = _as_code(self._context.code()) if self._context is not None else self._code
        if self._blind:
            ending = ""
        elif isinstance(self._error, calls.CUT_OFF):
            ending = self._call.cut_off()
        elif chosen is None and self._context is None:
            ending = failed or self._call.cut_off()
        elif chosen is not None and chosen is not grpc.StatusCode.OK:
            ending = chosen.name
        else:
            ending = failed or calls.OK
        self._call.end(ending)
        # grpc keeps the error of an aborted call with the call, and the frames of its traceback keep both:
        # until the collector comes, the call counts as one of its connection's streams.
        forget_frames(self._error)
        self._error = self._context = None

    def _behaviour(self, behaviour: Coroutine) -> Coroutine:
        async def watched(request: Any, context: Context) -> Any:
            self._context = context
            self._call.due_in(context.time_remaining())
            with self:
                return await behaviour(request, context)

        return watched

    def _deserializer(self, deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def watched(data: bytes) -> Any:
            with self:
                return deserialize(data)

        return watched


def _as_code(code: object) -> grpc.StatusCode | None:
    """Handlers may give a status by its number."""
    if isinstance(code, int):
        return next((known for known in grpc.StatusCode if known.value[0] == code), grpc.StatusCode.UNKNOWN)
    return code if isinstance(code, grpc.StatusCode) else None


def _writing(generator: Callable[[Any, Any], AsyncIterable[Any]]) -> Coroutine:
    """A handler that yields, as one that writes: what grpc would make of it anyway, except that grpc never
    closes a generator that it has begun.
    """

    async def write(request: Any, context: Context) -> None:
        async with aclosing(generator(request, context)) as messages:  # type: ignore[type-var]
            async for message in messages:
                await context.write(message)

    return write
