"""Authenticate each call before its handler runs.

grpc runs the interceptors and the handler of a call in one task, so the caller is passed on in a context
variable. Messages are not touched.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import grpc

from service.domain.errors import TurnError
from service.rpc.auth.callers import CALLER, Callers, Metadata
from service.rpc.auth.tls import certificate_names
from service.rpc.failure import NOTHING_SENT, Context, end

AUTHENTICATED = "/trunkline."
"""The prefix of authenticated methods; health and reflection are open."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour: TypeAlias = "Callable[[object, Context], Awaitable[object]]"


class Authentication(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs only
    """Set the caller of each call, or refuse it before any byte of the request is read.

    With client certificates this happens in a wrapper of the handler, still before the request is read: grpc
    shows certificates to handlers only.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        if not handler_call_details.method.startswith(AUTHENTICATED):
            return await continuation(handler_call_details)
        if self._callers.certified:
            metadata = handler_call_details.invocation_metadata
            return self._identified(await continuation(handler_call_details), metadata)
        try:
            CALLER.set(await self._callers.caller(handler_call_details.invocation_metadata))
        except TurnError as error:
            return _refusal(error)
        return await continuation(handler_call_details)

    def _identified(self, handler: Handler | None, metadata: Metadata) -> Handler:
        """Return the handler, wrapped in a check of the caller's certificate.

        All handlers of the service are coroutines that stream their requests.
        """
        if handler is None:
            return cast(Handler, None)  # an unknown method: grpc accepts None, its stubs do not
        streams = handler.response_streaming
        made = grpc.stream_stream_rpc_method_handler if streams else grpc.stream_unary_rpc_method_handler
        behaviour = cast(Behaviour, handler.stream_stream if streams else handler.stream_unary)

        async def identified(messages: object, context: Context) -> object:
            try:
                names = certificate_names(context.auth_context())
                CALLER.set(await self._callers.caller(metadata, names))
            except TurnError as error:
                await end(context, error, NOTHING_SENT)
            return await behaviour(messages, context)

        return made(identified, handler.request_deserializer, handler.response_serializer)


def _refusal(error: TurnError) -> Handler:
    """Return a handler that refuses any call, as a stream both ways: it starts before the request is read."""

    async def refuse(_requests: object, context: Context) -> None:
        await end(context, error, NOTHING_SENT)

    return grpc.stream_stream_rpc_method_handler(refuse)
