"""Observe every call, from its metadata to its status, as the first interceptor of the server.

grpc.aio has no hook for the end of a call. It does run the interceptors and the handler of a call in one
task, so a context variable set here is visible in the handler, and the end of that task is the end of the
call, exactly once, however it ended. A handler is wrapped only to learn its context and its exception;
messages do not pass through here.

How the outcome follows from both (`_CallOutcome.finish`), the first that applies:

    exception is a cancellation or a failed write    CANCELLED or DEADLINE_EXCEEDED, by the clock
    the handler never ran: it raised before that     UNKNOWN
    the handler never ran: there is none             UNIMPLEMENTED
    the handler never ran: the request never came    CANCELLED or DEADLINE_EXCEEDED
    the handler set a status other than OK           that status
    the handler raised                               UNKNOWN
    otherwise                                        OK

Example: a caller cancels while a handler writes. The handler has set no status, but its exception is
CancelledError or InternalError, so the call counts as CANCELLED and not as OK.
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
from service.telemetry.telemetry import Telemetry

EXCLUDED = ("/grpc.health.", "/grpc.reflection.")
"""Probes: frequent and uninteresting."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Coroutine = Callable[[Any, Any], Awaitable[Any]]
STYLES = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}
"""The attribute of a handler that is set says its style; the function makes such a handler."""


class Observation(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs only
    """Observe each call. A method not in `methods` is the caller's invention and never names a span."""

    def __init__(self, methods: Container[str], telemetry: Telemetry) -> None:
        self._methods = methods
        self._telemetry = telemetry
        self._running: set[asyncio.Task[Any]] = set()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        method = handler_call_details.method
        if method.startswith(EXCLUDED):
            return await continuation(handler_call_details)
        known = method in self._methods
        metadata = handler_call_details.invocation_metadata
        call = calls.begin(self._telemetry, method, metadata, known=known)
        outcome = _CallOutcome(call)
        task = asyncio.current_task()
        assert task is not None, "grpc calls interceptors in a task"
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(outcome.finish)
        with outcome:
            handler: Handler | None = await continuation(handler_call_details)
        return outcome.observe(handler)

    async def ended(self, timeout_s: float) -> None:
        """Wait until each call has ended and is recorded, for `timeout_s` seconds at most.

        A server that has stopped waits for the statuses of its calls, but not for their tasks.
        """
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)


class _CallOutcome:
    """Collect a call's context and its handler's exception, and decide its status when its task ends."""

    __slots__ = ("_call", "_code", "_context", "_error", "_opaque")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._opaque = False
        self._code: grpc.StatusCode | None = None
        self._context: Context | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._error = error

    def observe(self, handler: Handler | None) -> Handler:
        """Return the handler, wrapped. A blocking one runs in a thread, with a context of another kind; the
        service has none, and it is returned as it is.
        """
        if handler is None:
            self._code = grpc.StatusCode.UNIMPLEMENTED
            return cast(Handler, None)  # which grpc takes, and its stubs do not know
        style = next(style for style in STYLES if getattr(handler, style) is not None)
        behaviour = getattr(handler, style)
        if inspect.isasyncgenfunction(behaviour):
            behaviour = _writing(behaviour)
        elif not inspect.iscoroutinefunction(behaviour):
            self._opaque = True
            return handler
        deserialize = handler.request_deserializer
        if not handler.request_streaming and deserialize is not None:
            deserialize = self._deserializer(deserialize)
        return STYLES[style](self._behaviour(behaviour), deserialize, handler.response_serializer)

    def finish(self, _task: object) -> None:
        """End the call when its task is done, with the status that this module's table gives."""
        failed = "UNKNOWN" if self._error is not None else ""
        chosen = _as_code(self._context.code()) if self._context is not None else self._code
        if self._opaque:
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
        # grpc keeps the error of an aborted call with the call, and its traceback's frames refer to both.
        # Until the garbage collector runs, the call would count as one of its connection's streams.
        forget_frames(self._error)
        self._error = self._context = None

    def _behaviour(self, behaviour: Coroutine) -> Coroutine:
        async def wrapped(request: Any, context: Context) -> Any:
            self._context = context
            self._call.due_in(context.time_remaining())
            with self:
                return await behaviour(request, context)

        return wrapped

    def _deserializer(self, deserialize: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def wrapped(data: bytes) -> Any:
            with self:
                return deserialize(data)

        return wrapped


def _as_code(code: object) -> grpc.StatusCode | None:
    """Return the status of a code, which handlers may also set by its number. None when it is not set."""
    if isinstance(code, int):
        return next((known for known in grpc.StatusCode if known.value[0] == code), grpc.StatusCode.UNKNOWN)
    return code if isinstance(code, grpc.StatusCode) else None


def _writing(generator: Callable[[Any, Any], AsyncIterable[Any]]) -> Coroutine:
    """Convert a handler that yields to one that writes, as grpc does, but close the generator at the end;
    grpc never closes one that it has begun.
    """

    async def write(request: Any, context: Context) -> None:
        async with aclosing(generator(request, context)) as messages:  # type: ignore[type-var]
            async for message in messages:
                await context.write(message)

    return write
