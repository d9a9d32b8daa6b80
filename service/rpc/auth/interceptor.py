"""What happens to a call before its handler.

Owns the order of that. Must never touch what a handler says. grpc runs interceptors and handler in one task,
so what must reach the handler is a context variable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

import grpc

from service.domain.errors import TurnError
from service.rpc.auth.callers import CALLER, Callers, Metadata
from service.rpc.auth.tls import certificate_names
from service.rpc.failure import NOTHING_SENT, Context, end

OURS = "/trunkline."
"""Health and reflection answer anybody."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Authentication(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs only
    """Says whose call it is, or refuses it before a byte of the request is read.

    Where certificates count it is said a step later, and still before that: grpc shows them to handlers only.
    """

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        if not handler_call_details.method.startswith(OURS):
            return await continuation(handler_call_details)
        if self._callers.certified:
            metadata = handler_call_details.invocation_metadata
            return self._identified(await continuation(handler_call_details), metadata)
        try:
            CALLER.set(self._callers.caller(handler_call_details.invocation_metadata))
        except TurnError as error:
            return _refusal(error)
        return await continuation(handler_call_details)

    def _identified(self, handler: Handler | None, metadata: Metadata) -> Handler:
        """The same handler, behind a look at the caller's certificate. All of ours are
        coroutines that stream their requests."""
        if handler is None:
            return cast(Handler, None)  # an unknown method, which grpc takes, and its stubs do not know
        style = "stream_stream" if handler.response_streaming else "stream_unary"
        behaviour = getattr(handler, style)

        async def identified(messages: object, context: Context) -> object:
            try:
                names = certificate_names(context.auth_context())
                CALLER.set(self._callers.caller(metadata, names))
            except TurnError as error:
                await end(context, error, NOTHING_SENT)
            return await behaviour(messages, context)

        return cast(Handler, handler._replace(**{style: identified}))  # type: ignore[attr-defined]  # a namedtuple


def _refusal(error: TurnError) -> Handler:
    """Of any call: a handler that streams both ways is started before the request is read."""

    async def refuse(_requests: object, context: Context) -> None:
        await end(context, error, NOTHING_SENT)

    return grpc.stream_stream_rpc_method_handler(refuse)
