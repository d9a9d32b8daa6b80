"""Answer server reflection within bounds, without authentication.

A stream of reflection may be silent for as long as its caller likes, and may receive a message of any size
meanwhile. So only a few may be slow at once, and no silence lasts long. A client that is refused opens
another stream. One that does not read its answers keeps its stream: grpc can end it only with its connection.

The library lacks two things. It serves v1alpha only: v1 is the same file under another name, so it is made of
that one. And its pool of descriptors finds no methods: a request for one is answered as for its service.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.protobuf.descriptor import MethodDescriptor
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from service.domain.errors import Reason, TurnError
from service.rpc.convert.parsing import parse_small
from service.rpc.failure import NOTHING_SENT, Context, end, failure_of
from service.rpc.methods import GenericHandler
from service.rpc.receiving import RETRY_AFTER_S, Receiver, Slots

V1ALPHA = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"].full_name
V1 = V1ALPHA.replace("v1alpha", "v1")
MAX_STREAMS = 32
MAX_REQUEST_BYTES = 4096
SLOW_STREAMS = 2
IDLE_S = 10.0


class ReflectionService:
    """Serve reflection through grpc's own servicer, one message at a time."""

    def __init__(self, services: Iterable[str], on_refused: Callable[[], object] = bool) -> None:
        self._library = reflection.aio.ReflectionServicer(  # type: ignore[attr-defined]  # missing in its stubs
            (*services, V1, V1ALPHA)
        )
        self._receiver = Receiver(
            Slots(SLOW_STREAMS), IDLE_S, f"the stream was silent for {IDLE_S:g} s", on_refused
        )
        self._streams = 0

    def __repr__(self) -> str:
        return f"ReflectionService({self._streams} streams, {self._receiver.slots!r})"

    def handlers(self) -> Iterator[GenericHandler]:
        """Yield the method of v1 and that of v1alpha, for the server. They share their bounds."""
        serialize = ServerReflectionResponse.SerializeToString
        method = grpc.stream_stream_rpc_method_handler(self._serve, response_serializer=serialize)
        for service in (V1, V1ALPHA):
            yield grpc.method_handlers_generic_handler(service, {"ServerReflectionInfo": method})

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
            request = parse_small(ServerReflectionRequest, raw, MAX_REQUEST_BYTES)
            async for response in self._library.ServerReflectionInfo(_only(_answerable(request)), context):
                response.original_request.CopyFrom(request)
                await context.write(response)


def _answerable(request: ServerReflectionRequest) -> ServerReflectionRequest:
    """Return the request, for the service where it is for one of its methods: they are in one file."""
    service, _, name = request.file_containing_symbol.rpartition(".")
    if _method(service, name) is None:
        return request
    return ServerReflectionRequest(host=request.host, file_containing_symbol=service)


def _method(service: str, name: str) -> MethodDescriptor | None:
    try:
        return descriptor_pool.Default().FindServiceByName(service).methods_by_name.get(name)
    except KeyError:
        return None


async def _only(request: ServerReflectionRequest) -> AsyncIterator[ServerReflectionRequest]:
    yield request


def _describe_v1() -> None:
    """Add the file of v1 to the descriptors that the library answers with."""
    v1alpha = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(v1alpha)
    text = text_format.MessageToString(v1alpha).replace("v1alpha", "v1")
    v1 = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    descriptor_pool.Default().AddSerializedFile(v1.SerializeToString())


_describe_v1()
