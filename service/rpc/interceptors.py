"""What happens to a call before its handler.

Owns the order of that. Must never wrap a handler's behaviour: streams, coroutines and generators each want it
done differently. grpc runs interceptors and handler in one task, so what must reach the handler is a context
variable.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from service.domain.errors import TurnError
from service.rpc.auth import TENANT, Callers
from service.rpc.failure import NOTHING_SENT, Context, end

OURS = "/trunkline."
"""Health and reflection answer anybody."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Authentication(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in its stubs only
    """Says whose call it is, or refuses it before a byte of the request is read."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        if handler_call_details.method.startswith(OURS):
            try:
                TENANT.set(self._callers.tenant(handler_call_details.invocation_metadata))
            except TurnError as error:
                return _refusal(error)
        return await continuation(handler_call_details)


def _refusal(error: TurnError) -> Handler:
    """Of any call: a handler that streams both ways is started before the request is read."""

    async def refuse(_requests: object, context: Context) -> None:
        await end(context, error, NOTHING_SENT)

    return grpc.stream_stream_rpc_method_handler(refuse)
