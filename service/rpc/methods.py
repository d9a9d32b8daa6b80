"""Register the methods of a service so that a request is received only after the call was admitted.

A handler of grpc's unary kind starts once its request has been received in full. These are registered as
streaming their requests, which is the same on the wire, and take one message: admit the caller, receive,
serve. Further messages are ignored, as grpc does for unary requests.
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
from service.telemetry import calls
from service.telemetry.calls import Call

GenericHandler: TypeAlias = "grpc.GenericRpcHandler[Any, Any]"

Admit = Callable[[], str]
"""Returns the holder of the slot that a slow request takes. Raises TurnError to refuse the call unread."""

CUT_OFF_S = 0.01
"""How long to wait after the end of a stream for a cancellation that belongs to it."""


def admit_authenticated(check: Callable[[Caller, Call | None], None] | None) -> Admit:
    """Admit authenticated callers. `check` may refuse them, in this call, by raising TurnError."""

    def admit() -> str:
        caller = CALLER.get()
        if check is not None:
            check(caller, calls.current())
        return caller.tenant

    return admit


def admit_anyone() -> str:
    """Admit callers without authentication. All of them are one holder of slots."""
    return ""


@dataclass(frozen=True, slots=True)
class RequestReader:
    """Read the request of a call. Up to `max_bytes` it is parsed at once; None: the servicer gets the bytes,
    since it scans and parses large ones in its own way.
    """

    receiver: Receiver
    admit: Admit
    max_bytes: int | None = None

    async def read(self, kind: type[Message], context: Context) -> Message | bytes:
        """Raises TurnError when the call is refused, and grpc.aio.InternalError when its caller has left."""
        raw = await self.receiver.receive(context, self.admit())
        if raw is None:
            await asyncio.sleep(CUT_OFF_S)
            raise TurnError(Reason.INVALID_REQUEST, "the call ended without a request; send one message")
        return raw if self.max_bytes is None else parse_small(kind, raw, self.max_bytes)


def generic_handler(service: ServiceDescriptor, servicer: object, reader: RequestReader) -> GenericHandler:
    """Return the methods of a service with single requests, served by the servicer's coroutines."""
    handlers = {
        method.name: _handler(method, getattr(servicer, method.name), reader) for method in service.methods
    }
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _handler(
    method: MethodDescriptor, behaviour: Callable[[Any, Context], Any], reader: RequestReader
) -> grpc.RpcMethodHandler[Any, Any]:
    kind = GetMessageClass(method.input_type)
    made = (
        grpc.stream_stream_rpc_method_handler
        if method.server_streaming
        else grpc.stream_unary_rpc_method_handler
    )

    async def serve(_messages: object, context: Context) -> object:
        try:
            request = await reader.read(kind, context)
        except grpc.aio.InternalError:
            raise  # the caller has just left; grpc expects it
        except Exception as error:  # noqa: BLE001  any error ends the call once, with its status
            await end(context, failure_of(error), NOTHING_SENT)
        return await behaviour(request, context)

    return made(serve, response_serializer=GetMessageClass(method.output_type).SerializeToString)
