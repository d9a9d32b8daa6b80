"""The methods of a service, as grpc serves them: each handler gets the bytes of its request, unparsed."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass


def serve(server: grpc.aio.Server, servicer: object, service: ServiceDescriptor) -> None:
    """Adds the service. What its methods answer are messages."""
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
    for method in service.methods:
        styled = (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        answer = GetMessageClass(method.output_type)
        handlers[method.name] = styled(
            getattr(servicer, method.name), response_serializer=answer.SerializeToString
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
