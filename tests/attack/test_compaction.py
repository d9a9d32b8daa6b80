"""Answers to a compaction in their worst shapes: what they come to, what memory they take, who waits."""

from __future__ import annotations

import json

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from tests.attack.shapes import HEAD, HELLO, message, repeated, text
from tests.attack.test_upstreams import BRACKETS, GROWTH_MIB, HASTE, WAIT_S, freed
from tests.attack.victim import BEARER, MEBIBYTE, Victim, probing, victim
from tests.integration.faults import raw
from tests.stack import user

HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
SEALED = b'{"type":"compaction","encrypted_content":"s"}'
PIECE = 256 * 1024
METHOD = "/trunkline.v1.CompletionService/Compact"


def answer(*items: bytes) -> bytes:
    return b'{"object":"response.compaction","output":[' + b",".join([*items, SEALED]) + b"]}"


def said(content: object) -> bytes:
    return json.dumps({"type": "message", "role": "user", "content": content}).encode()


FITS = {
    "a text of 15 MB": answer(said("x" * 15_000_000)),
    "15 MB of control characters": answer(said("\x01" * 2_500_000)),
    "a file of 15 MB": answer(
        said([{"type": "input_file", "filename": "f", "file_data": "data:a/b;base64," + "AAAA" * 3_750_000}])
    ),
    "a seal of 15 MB": answer(b'{"type":"compaction","encrypted_content":"' + b"x" * 15_000_000 + b'"}'),
    "4,000 messages": answer(*[said("x" * 100)] * 4_000),
    "a key of 40,000 keys": answer(
        b'{"role":"user","content":"x","more":{' + b",".join(b'"%d":1' % n for n in range(40_000)) + b"}}"
    ),
    "deep items": answer(*[b'{"type":"x","a":' + b"[" * 400 + b"]" * 400 + b"}"] * 200),
}
REFUSED = {
    "brackets": answer(BRACKETS[: 15 * MEBIBYTE // 3 * 3]),
    "brackets in an item": answer(b'{"type":"x","a":' + BRACKETS[:-200] + b"[]]}"),
    "10,000 items": answer(*[SEALED] * 10_000),
    "5,000 parts": answer(said([{"type": "input_text", "text": "x"}] * 5_000)),
    "20 MB": answer(said("x" * 20_000_000)),
    "nothing but spaces": b"{" + b" " * 20_000_000,
    "an error of brackets": b'{"error":' + BRACKETS + b"}",
}


async def asking(service: Victim) -> str:
    """What a compaction came to: the message of its status; empty: it was answered."""
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(service.address, options) as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        asked = pb.CompactRequest(session_id="s", model="m", messages=[user("Hello.")])
        try:
            answered = await stub.Compact(asked, metadata=BEARER, timeout=60)
        except grpc.aio.AioRpcError as error:
            return error.details() or "no message"
        return "" if answered.messages else "no messages"


@pytest.mark.heavy
@pytest.mark.parametrize("case", [*FITS, *REFUSED])
async def test_no_answer_holds_the_others(case):
    body = FITS.get(case) or REFUSED[case]

    async def handle(reader, writer, _head):
        await reader.read(PIECE)
        writer.write(HEADERS)
        for at in range(0, len(body), PIECE):
            writer.write(body[at : at + PIECE])
            await writer.drain()

    async with raw.upstream(handle) as url, victim(url, **HASTE) as service:
        base = service.rss_mib()
        async with probing(service.address) as waits:
            failure = await asking(service)
        if case in FITS:
            assert failure == ""
        else:
            assert failure.startswith("the upstream")
        assert service.peak_mib() < base + GROWTH_MIB
        await freed(service, base)
    assert waits.worst_s < WAIT_S


SHAPES = {
    "empty texts": repeated(text(b""), 2 * MEBIBYTE),
    "empty parts": repeated(b"\x12\x00", 2 * MEBIBYTE),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_bad_shape_of_a_request_is_refused_by_name(shape):
    async def nobody(_reader, _writer, _head):
        raise AssertionError("nothing is sent")

    body = HEAD + HELLO + message(1, SHAPES[shape])
    async with raw.upstream(nobody) as url, victim(url, **HASTE) as service:
        async with grpc.aio.insecure_channel(service.address) as channel:
            call = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(body, metadata=BEARER, timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "messages[].parts" in (caught.value.details() or "")
