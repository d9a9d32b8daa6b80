"""Test what reflection adds to the library: v1, methods, and bounds."""

import asyncio

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from service.gen.trunkline.v1 import completion_pb2
from service.rpc import reflection
from service.rpc.reflection import ReflectionService
from tests.attack.http2 import Caller, message

PATH = f"/{reflection.V1}/ServerReflectionInfo"
PATIENCE_S = 30
OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = "0", "3", "4", "8"
LIST = message(pb.ServerReflectionRequest(list_services="").SerializeToString())


@pytest.fixture
async def start():
    servers = []

    async def started():
        server = grpc.aio.server()
        services = [one.full_name for one in completion_pb2.DESCRIPTOR.services_by_name.values()]
        server.add_generic_rpc_handlers(tuple(ReflectionService(services).handlers()))
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


@pytest.fixture
async def ask(start):
    """What one request is answered by v1 and by v1alpha, which must be the same."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await start()}") as channel:

        async def asked(**request):
            answers = []
            for service in (reflection.V1, reflection.V1ALPHA):
                call = channel.stream_stream(
                    f"/{service}/ServerReflectionInfo",
                    request_serializer=pb.ServerReflectionRequest.SerializeToString,
                    response_deserializer=pb.ServerReflectionResponse.FromString,
                )(iter([pb.ServerReflectionRequest(host="h", **request)]), timeout=PATIENCE_S)
                answers.append([answer async for answer in call])
            [[v1], [v1alpha]] = answers
            assert v1 == v1alpha
            assert v1.original_request == pb.ServerReflectionRequest(host="h", **request)
            return v1

        yield asked


def files(answer):
    found = answer.file_descriptor_response.file_descriptor_proto
    return [FileDescriptorProto.FromString(one) for one in found]


async def test_a_method_is_in_the_file_of_its_service(ask):
    service = files(await ask(file_containing_symbol="trunkline.v1.CompletionService"))
    assert files(await ask(file_containing_symbol="trunkline.v1.CompletionService.Complete")) == service
    assert {file.name for file in service} >= {
        "trunkline/v1/completion.proto",
        "google/api/annotations.proto",
    }


@pytest.mark.parametrize(
    "symbol",
    [
        "trunkline.v1.CompletionService.Complet",
        "trunkline.v1.Done.Complete",
        "trunkline.v2.S.M",
        "Complete",
        ".",
    ],
)
async def test_what_is_no_symbol_is_not_found(ask, symbol):
    assert (await ask(file_containing_symbol=symbol)).error_response.error_code == 5


async def test_every_service_that_is_listed_is_described(ask):
    listed = (await ask(list_services="")).list_services_response.service
    assert {reflection.V1, reflection.V1ALPHA} < {one.name for one in listed}
    for service in listed:
        file = files(await ask(file_containing_symbol=service.name))[0]
        assert service.name in [f"{file.package}.{one.name}" for one in file.service]


async def test_the_file_of_v1_names_only_itself(ask):
    [file] = files(await ask(file_containing_symbol=reflection.V1))
    assert file.name == "grpc_reflection/v1/reflection.proto"
    assert "v1alpha" not in str(file)


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
