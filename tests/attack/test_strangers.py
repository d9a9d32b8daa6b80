"""What anybody may do without a token: hold little, for a short time, and stop nobody."""

import asyncio
import json
import signal

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub

from service.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub
from simulator.scripts import Gate, Say, Script, Start
from tests.attack.http2 import Caller, callers, message
from tests.attack.victim import BEARER, MEBIBYTE, probing, victim
from tests.stack import request

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
COMPLETE = "/trunkline.v1.CompletionService/Complete"
INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNAVAILABLE = "3", "4", "8", "14"
CANCELLED = "1"
SERVING, NOT_SERVING = 1, 2
WHOLE = 33 * MEBIBYTE
HALF = message(b"a" * (WHOLE - 1000), announced=WHOLE)
RSS_MIB = 150
WAIT_S = 2.0
PATIENCE_S = 60


async def half_sent(caller, path, metadata=()):
    """Announces 33 MiB and sends all but a thousand bytes, as far as it is let. Returns the stream."""
    stream = await caller.begin(path, metadata)
    async with asyncio.timeout(PATIENCE_S):
        await caller.send(stream, HALF, end=False)
    return stream


@pytest.mark.heavy
@pytest.mark.parametrize("number", [10, 32])
async def test_half_sent_checks_hold_little_and_end(simulator, number):
    async with victim(simulator.url) as service, callers(service.port, number) as strangers:
        async with probing(service.address) as waits:
            streams = [await half_sent(stranger, CHECK) for stranger in strangers]
            for stranger, stream in zip(strangers, streams, strict=True):
                async with asyncio.timeout(PATIENCE_S):
                    assert await stranger.ended(stream) in (DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED)
        assert service.rss_mib() <= RSS_MIB
        assert waits.worst_s <= WAIT_S
        # On a busy machine an honest check may be slow, too, and find no place beside the half-sent ones.
        assert waits.failed <= 1 + waits.checks // 50


@pytest.mark.heavy
async def test_half_sent_turns_of_a_tenant_take_half_the_places(simulator):
    async with victim(simulator.url, RECEIVE_TIMEOUT_S="10") as service, callers(service.port, 10) as tenants:
        streams = await asyncio.gather(*[half_sent(tenant, COMPLETE, BEARER) for tenant in tenants])
        async with asyncio.timeout(PATIENCE_S):
            ends = await asyncio.gather(
                *[caller.ended(stream) for caller, stream in zip(tenants, streams, strict=True)]
            )
        assert sorted(ends) == [DEADLINE_EXCEEDED] * 4 + [RESOURCE_EXHAUSTED] * 6
        assert service.rss_mib() <= RSS_MIB


@pytest.mark.heavy
@pytest.mark.parametrize(("path", "metadata"), [(CHECK, ()), (COMPLETE, BEARER)])
async def test_a_message_that_announces_4_gib_is_refused_at_once(simulator, path, metadata):
    async with victim(simulator.url) as service, Caller(service.port) as caller:
        body = message(b"a" * 200 * MEBIBYTE, announced=0xFFFFFFFF)
        stream = await caller.begin(path, metadata)
        sent = await caller.send(stream, body, end=False)
        async with asyncio.timeout(PATIENCE_S):
            assert await caller.ended(stream) == RESOURCE_EXHAUSTED
        assert sent < 200 * MEBIBYTE
        assert service.peak_mib() <= RSS_MIB


@pytest.mark.heavy
@pytest.mark.parametrize(("path", "body"), [(WATCH, message(b"")), (REFLECT, b"")])
async def test_thousands_of_silent_streams_are_bounded(simulator, path, body):
    async with victim(simulator.url) as service, callers(service.port, 3) as strangers:
        for stranger in strangers:
            for _ in range(1000):
                stream = await stranger.begin(path)
                if body:
                    await stranger.send(stream, body, end=False)
        refused = 0
        async with asyncio.timeout(PATIENCE_S):
            while refused < 1900:
                # grpc core itself cancels some of the calls that wait to be accepted, from 1,000 on.
                refused = sum(
                    stranger.status(stream) in (RESOURCE_EXHAUSTED, CANCELLED)
                    for stranger in strangers
                    for stream in stranger.headers
                )
                await asyncio.sleep(0.05)
        assert service.rss_mib() <= RSS_MIB
        async with probing(service.address) as waits:
            pass
        assert waits.failed == 0


async def test_a_watcher_that_reads_nothing_does_not_stop_the_drain(simulator):
    simulator.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    async with victim(simulator.url) as service:
        async with (
            Caller(service.port, window=0) as deaf,
            Caller(service.port) as caller,
            grpc.aio.insecure_channel(service.address) as channel,
        ):
            await deaf.send(await deaf.begin(WATCH), message(b""))
            leaving, staying = (HealthStub(channel).Watch(health_pb2.HealthCheckRequest()) for _ in "ab")
            assert [(await watch.read()).status for watch in (leaving, staying)] == [SERVING, SERVING]
            leaving.cancel()
            stub = CompletionServiceStub(channel)
            events = aiter(stub.StreamCompletion(request("Hello."), metadata=BEARER))
            await anext(events)  # until the turn ends, the service drains
            service.program.process.send_signal(signal.SIGTERM)
            assert (await staying.read()).status == NOT_SERVING
            stream = await caller.begin(COMPLETE, BEARER)
            await caller.send(stream, message(request("Hello.").SerializeToString()))
            assert await caller.ended(stream) == UNAVAILABLE
            check = await HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert check.status == NOT_SERVING
            simulator.open_gate("go")
            assert [event async for event in events][-1].HasField("done")
        assert await service.program.ends() == 0


async def test_debug_text_of_a_connection_is_no_line_of_the_log(simulator):
    forged = "\n" + json.dumps({"logger": "service.turn", "message": "forged"}) + "\n"
    async with victim(simulator.url) as service:
        async with Caller(service.port) as caller:
            caller.connection.close_connection(error_code=11, additional_data=forged.encode())
            await caller.flush()
        async with probing(service.address):
            pass
        service.program.process.send_signal(signal.SIGTERM)
        assert await service.program.ends() == 0
        assert "forged" not in "".join(service.program.said)


@pytest.mark.parametrize("path", [CHECK, WATCH, COMPLETE, "/trunkline.v1.SessionService/GetSession"])
async def test_a_call_without_a_message_gets_a_status(simulator, path):
    async with victim(simulator.url) as service, Caller(service.port) as caller:
        stream = await caller.begin(path, BEARER, end=True)
        async with asyncio.timeout(PATIENCE_S):
            assert await caller.ended(stream) == INVALID_ARGUMENT
