"""Answer server reflection within bounds, without authentication.

A stream of reflection may be silent for as long as its caller likes, and may receive a message of any size
meanwhile. So only a few may be slow at once, and no silence lasts long. A client that is refused opens
another stream. One that does not read its answers keeps its stream: grpc can end it only with its connection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from service.domain.errors import Reason, TurnError
from service.rpc.convert.parsing import parse_small
from service.rpc.failure import NOTHING_SENT, Context, end, failure_of
from service.rpc.methods import GenericHandler
from service.rpc.receiving import RETRY_AFTER_S, Receiver, Slots

SERVICE = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
MAX_STREAMS = 32
MAX_REQUEST_BYTES = 4096
SLOW_STREAMS = 2
IDLE_S = 10.0


class ReflectionService:
    """Serve reflection through grpc's own servicer, one message at a time."""

    def __init__(self, services: Iterable[str], on_refused: Callable[[], object] = bool) -> None:
        self._library = reflection.aio.ReflectionServicer(  # type: ignore[attr-defined]  # missing in its stubs
            (*services, SERVICE)
        )
        self._receiver = Receiver(
            Slots(SLOW_STREAMS), IDLE_S, f"the stream was silent for {IDLE_S:g} s", on_refused
        )
        self._streams = 0

    def __repr__(self) -> str:
        return f"ReflectionService({self._streams} streams, {self._receiver.slots!r})"

    def handler(self) -> GenericHandler:
        """Return the method for the server."""
        serialize = reflection_pb2.ServerReflectionResponse.SerializeToString
        method = grpc.stream_stream_rpc_method_handler(self._serve, response_serializer=serialize)
        return grpc.method_handlers_generic_handler(SERVICE, {"ServerReflectionInfo": method})

    async def _serve(self, _messages: object, context: Context) -> None:
        self._streams += 1
        try:
            await self._answer(context)
        except grpc.aio.InternalError:
            raise  # the caller has just left; grpc expects it
        except Exception as error:  # noqa: BLE001  any error ends the call once, with its status
            await end(context, failure_of(error), NOTHING_SENT)
        finally:
            self._streams -= 1

    async def _answer(self, context: Context) -> None:
        """Answer each message until the caller half-closes the stream."""
        if self._streams > MAX_STREAMS:
            message = f"at most {MAX_STREAMS} streams of reflection are served at once"
            raise TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_S)
        while (raw := await self._receiver.receive(context)) is not None:
            request = parse_small(reflection_pb2.ServerReflectionRequest, raw, MAX_REQUEST_BYTES)
            async for response in self._library.ServerReflectionInfo(_only(request), context):
                await context.write(response)


async def _only(
    request: reflection_pb2.ServerReflectionRequest,
) -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
    yield request
