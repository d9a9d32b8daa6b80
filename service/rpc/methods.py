"""Register the methods of a service so that no request is received before the call may be served.

A handler of grpc's unary kind starts once its request is received, whole. These are registered as streaming
their requests, which is the same on the wire, and take one message: admit the caller, receive, serve. Further
messages are ignored, as grpc does for unary requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller
from service.rpc.auth.callers import CALLER
from service.rpc.convert.parsing import parse_small
from service.rpc.failure import NOTHING_SENT, Context, end, failure_of
from service.rpc.receiving import Receiver

GenericHandler: TypeAlias = "grpc.GenericRpcHandler[Any, Any]"

Admit = Callable[[], str]
"""Returns who holds the place that a slow request takes. Raises TurnError when the call is refused unread."""

CUT_OFF_S = 0.01
"""How long the end of a stream may be one half of a cancellation, whose other half is on its way."""


def admitting(check: Callable[[Caller], None] | None) -> Admit:
    """Admit authenticated callers. `check` may refuse them by raising TurnError."""

    def admit() -> str:
        caller = CALLER.get()
        if check is not None:
            check(caller)
        return caller.tenant

    return admit


def anybody() -> str:
    """Admit callers without authentication. They all are one holder of places."""
    return ""


@dataclass(frozen=True, slots=True)
class Intake:
    """How requests of a service come in. Up to `max_bytes` they are parsed at once; None: the servicer gets
    them as they came, since it counts and parses large ones in its own way.
    """

    receiver: Receiver
    admit: Admit
    max_bytes: int | None = None

    async def take(self, kind: type[Message], context: Context) -> Message | bytes:
        """Raises TurnError when the call is refused, and grpc.aio.InternalError when its caller has left."""
        raw = await self.receiver.receive(context, self.admit())
        if raw is None:
            await asyncio.sleep(CUT_OFF_S)
            raise TurnError(Reason.INVALID_REQUEST, "the call ended without a request; send one message")
        return raw if self.max_bytes is None else parse_small(kind, raw, self.max_bytes)


def generic_handler(service: ServiceDescriptor, servicer: object, intake: Intake) -> GenericHandler:
    """All methods of a service whose requests are single messages, served by the servicer's coroutines."""
    handlers = {
        method.name: _handler(method, getattr(servicer, method.name), intake) for method in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _handler(
    method: MethodDescriptor, behaviour: Callable[[Any, Context], Any], intake: Intake
) -> grpc.RpcMethodHandler[Any, Any]:
    kind = GetMessageClass(method.input_type)
    made = (
        grpc.stream_stream_rpc_method_handler
        if method.server_streaming
        else grpc.stream_unary_rpc_method_handler
    )

    async def serve(_messages: object, context: Context) -> object:
        try:
            request = await intake.take(kind, context)
        except grpc.aio.InternalError:
            raise  # the caller has just left; grpc expects it
        except Exception as error:  # noqa: BLE001  whatever it is, the call ends once and says so
            await end(context, failure_of(error), NOTHING_SENT)
        return await behaviour(request, context)

    return made(serve, response_serializer=GetMessageClass(method.output_type).SerializeToString)
