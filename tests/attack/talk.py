"""An upstream that says what a test gives it, over a WebSocket and over SSE, and a caller of the victim."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import msgspec

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from tests.attack.victim import BEARER
from tests.integration.faults import raw
from tests.stack import request

PIECE = 64 * 1024
BIG = [("grpc.max_receive_message_length", -1), ("grpc.enable_http_proxy", 0)]
WAYS = {"ws": pb.TRANSPORT_WEBSOCKET, "sse": pb.TRANSPORT_SSE}
ANSWERED, ADDED = raw.ANSWER[:2]
DONE = raw.ANSWER[-1]

Said = dict[str, object] | bytes


def delta(text: str) -> dict[str, object]:
    kind = "response.output_text.delta"
    return {"type": kind, "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text}


def _written(events: Sequence[Said]) -> list[bytes]:
    return [event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events]


@asynccontextmanager
async def saying(events: Sequence[Said], *, endless: Sequence[Said] = ()) -> AsyncIterator[str]:
    """Its URL. Each request is answered by the events, and then by `endless` again and again."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        first, rest = _written(events), _written(endless)
        if raw.is_upgrade(head):
            writer.write(raw.accepted(head))
        await reader.read(PIECE)  # the request; to close on it unread would reset the connection
        if raw.is_upgrade(head):
            await _say(writer, b"".join(map(raw.frame, first)), b"".join(map(raw.frame, rest)))
            await reader.read()  # until the service hangs up
        else:
            writer.write(raw.STREAM)
            lines = [b"".join(b"data: " + event + b"\n\n" for event in part) for part in (first, rest)]
            await _say(writer, *lines)

    async with raw.upstream(handle) as url:
        yield url


async def _say(writer: asyncio.StreamWriter, first: bytes, rest: bytes) -> None:
    for at in range(0, len(first), PIECE):
        writer.write(first[at : at + PIECE])
        await writer.drain()
    while rest:
        writer.write(rest)
        await writer.drain()
        await asyncio.sleep(0)  # a drain that has nothing to wait for lets nobody else run


@dataclass
class Heard:
    """What a caller heard. `reason` is the ErrorInfo-bearing error's; empty: the turn ended well."""

    text: int = 0
    kinds: list[str] = field(default_factory=list)
    reason: str = ""
    message: str = ""
    partial: int = 0
    code: str = "OK"


async def ask(address: str, way: str, session: str = "s", timeout: float = 60.0, stop_at: int = 0) -> Heard:
    """One turn. `stop_at`: the caller leaves when that much text has come."""
    heard = Heard()
    options = pb.CompletionOptions(transport=WAYS[way])
    async with grpc.aio.insecure_channel(address, BIG) as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        call = stub.StreamCompletion(
            request("Hi.", session=session, options=options), timeout=timeout, metadata=BEARER
        )
        try:
            async for event in call:
                _hear(heard, event)
                if stop_at and heard.text >= stop_at:
                    call.cancel()
                    break
        except grpc.aio.AioRpcError as error:
            heard.code = error.code().name
    return heard


def _hear(heard: Heard, event: pb.StreamCompletionResponse) -> None:
    kind = event.WhichOneof("event") or ""
    heard.text += len(event.text_delta.delta)
    if heard.kinds[-1:] != [kind]:
        heard.kinds.append(kind)
    if kind == "error":
        heard.reason, heard.message = event.error.reason, event.error.message
        heard.partial = sum(len(part.text.text) for part in event.error.partial.parts)
