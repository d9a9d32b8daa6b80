"""Test the bounds of reflection."""

import asyncio

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from service.gen.trunkline.v1 import completion_pb2
from service.rpc import reflection
from service.rpc.reflection import ReflectionService
from tests.attack.http2 import Caller, message

PATH = f"/{reflection.SERVICE}/ServerReflectionInfo"
PATIENCE_S = 30
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = "0", "3", "4", "8"
LIST = message(pb.ServerReflectionRequest(list_services="").SerializeToString())


@pytest.fixture
async def start():
    servers = []

    async def started():
        server = grpc.aio.server()
        services = [one.full_name for one in completion_pb2.DESCRIPTOR.services_by_name.values()]
        server.add_generic_rpc_handlers((ReflectionService(services).handler(),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        servers.append(server)
        return port

    yield started
    for server in servers:
        await server.stop(0)


async def test_a_stream_answers_message_after_message(start):
    async with (
        asyncio.timeout(PATIENCE_S),
        grpc.aio.insecure_channel(f"127.0.0.1:{await start()}") as channel,
    ):
        call = ServerReflectionStub(channel).ServerReflectionInfo()
        for symbol in ("trunkline.v1.Done", "trunkline.v1.Error"):
            await call.write(pb.ServerReflectionRequest(file_containing_symbol=symbol))
            assert (await call.read()).file_descriptor_response.file_descriptor_proto
        await call.done_writing()
        assert await call.code() is grpc.StatusCode.OK


async def ended(port, body):
    async with asyncio.timeout(PATIENCE_S), Caller(port) as caller:
        stream = await caller.begin(PATH)
        await caller.send(stream, body, end=False)
        return await caller.ended(stream)


async def test_a_silent_stream_ends(start, monkeypatch):
    monkeypatch.setattr(reflection, "IDLE_S", 0.05)
    assert await ended(await start(), b"") == DEADLINE_EXCEEDED


async def test_silent_streams_are_few(start, monkeypatch):
    monkeypatch.setattr(reflection, "SLOW_STREAMS", 0)
    assert await ended(await start(), b"") == RESOURCE_EXHAUSTED


async def test_streams_are_counted(start, monkeypatch):
    monkeypatch.setattr(reflection, "MAX_STREAMS", 0)
    assert await ended(await start(), LIST) == RESOURCE_EXHAUSTED


@pytest.mark.parametrize("body", [message(b"\x0a" * 5000), message(b"\xff")])
async def test_a_large_or_broken_message_is_refused(start, body):
    assert await ended(await start(), body) == INVALID_ARGUMENT
