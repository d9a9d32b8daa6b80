"""A bare grpc.aio server, and a relay that does nothing else: lower bounds for a Python service.

Without `--upstream` it streams what the service would by itself. The model's name says what: `bench-500x20`
is 500 deltas, one every 20 ms, one message a delta. Its CPU per delta is the least that a Python service can
reach which writes each delta by itself.

With `--upstream` it asks for the answer over a WebSocket, one for each session, by the `websockets` library.
It checks, counts, logs and remembers nothing, takes the first message only and merges no deltas. What it
costs beyond the bare server is the price of having an upstream at all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from websockets.asyncio.client import ClientConnection, connect

from service.gen.trunkline.v1 import completion_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["CompletionService"].full_name

OPTIONS: dict[str, Any] = {
    "additional_headers": {"Authorization": "Bearer k"},
    "compression": None,
    "max_size": None,
    "ping_interval": None,
    "proxy": None,
}

Behaviour = Callable[[pb.StreamCompletionRequest, Any], AsyncIterator[pb.StreamCompletionResponse]]


async def stream_by_itself(
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


class Relay:
    """Relay each answer of the upstream. A connection is kept for its session while no turn uses it."""

    def __init__(self, upstream: str) -> None:
        self._url = upstream.replace("http", "ws", 1) + "/responses"
        self._idle: dict[str, ClientConnection] = {}

    async def stream(
        self, request: pb.StreamCompletionRequest, _: Any
    ) -> AsyncIterator[pb.StreamCompletionResponse]:
        line = self._idle.pop(request.session_id, None)
        line = line or await connect(self._url, **OPTIONS)
        content = [{"type": "input_text", "text": request.messages[0].parts[0].text.text}]
        asked = [{"type": "message", "role": "user", "content": content}]
        await line.send(
            json.dumps({"type": "response.create", "model": request.model, "input": asked, "store": False})
        )
        sequence = 0
        async for frame in line:
            event = json.loads(frame)
            sequence += 1
            if event["type"] == "response.created":
                start = pb.Start(turn_id="relay", model=request.model)
                yield pb.StreamCompletionResponse(sequence=sequence, start=start)
            elif event["type"] == "response.output_text.delta":
                delta = pb.TextDelta(delta=event["delta"])
                yield pb.StreamCompletionResponse(sequence=sequence, text_delta=delta)
            elif event["type"] == "response.completed":
                self._idle[request.session_id] = line
                yield pb.StreamCompletionResponse(sequence=sequence, done=pb.Done(model=request.model))
                return


def handlers(behaviour: Behaviour) -> grpc.GenericRpcHandler:
    """Build the handlers by hand: the generated module refuses a grpcio older than its generator."""
    handler = grpc.unary_stream_rpc_method_handler(
        behaviour,
        request_deserializer=pb.StreamCompletionRequest.FromString,
        response_serializer=pb.StreamCompletionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"StreamCompletion": handler})


async def serve(upstream: str) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    behaviour = Relay(upstream).stream if upstream else stream_by_itself
    server.add_generic_rpc_handlers((handlers(behaviour),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"listening on 127.0.0.1:{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare grpc.aio server, or a relay that does nothing else.")
    parser.add_argument("--upstream", default="", help="relay answers of this one, as http://host:port/v1")
    asyncio.run(serve(parser.parse_args().upstream))


if __name__ == "__main__":
    main()
