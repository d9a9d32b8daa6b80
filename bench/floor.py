"""A bare grpc.aio server that streams what the service would, without an upstream.

The model's name says what to send: `bench-500x20` is 500 deltas, one every 20 ms, one message a delta.
Its CPU per delta is the least that any Python service can reach which writes each delta by itself.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from service.gen.trunkline.v1 import completion_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["CompletionService"].full_name


async def stream_completion(
    request: pb.StreamCompletionRequest, _: Any
) -> AsyncIterator[pb.StreamCompletionResponse]:
    found = re.fullmatch(r"bench-(\d+)x(\d+)", request.model)
    assert found is not None, request.model
    deltas, pace_s = int(found[1]), int(found[2]) / 1000
    loop = asyncio.get_running_loop()
    began = loop.time()
    yield pb.StreamCompletionResponse(sequence=1, start=pb.Start(turn_id="floor", model=request.model))
    for number in range(deltas):
        if pace_s and (wait := began + number * pace_s - loop.time()) > 0:
            await asyncio.sleep(wait)
        delta = pb.TextDelta(delta=f"{time.time_ns():020d}")
        yield pb.StreamCompletionResponse(sequence=number + 2, text_delta=delta)
    yield pb.StreamCompletionResponse(sequence=deltas + 2, done=pb.Done(model=request.model))


def handlers() -> grpc.GenericRpcHandler:
    """Build the handlers by hand: the generated module refuses a grpcio older than its generator."""
    handler = grpc.unary_stream_rpc_method_handler(
        stream_completion,
        request_deserializer=pb.StreamCompletionRequest.FromString,
        response_serializer=pb.StreamCompletionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"StreamCompletion": handler})


async def main() -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"listening on 127.0.0.1:{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
