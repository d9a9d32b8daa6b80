"""Test that the Python client's span is the parent of the service's."""

import asyncio
from contextlib import suppress

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from service.telemetry import names
from simulator.scripts import Fail, Hang, Say, Script
from tests.stack import MODEL
from trunkline import AsyncClient, Client, TrunklineError, tracing, user

STREAM = "trunkline.v1.CompletionService/StreamCompletion"
MIDDLE = Script(Say("This is the", closed=False), Hang())


@pytest.fixture(autouse=True)
def as_the_application_would(seen, monkeypatch):
    monkeypatch.setattr(trace, "get_tracer", seen.tracers.get_tracer)


async def pair(seen, name=STREAM):
    """The client's span and the service's."""
    await seen.until(lambda: len(seen.named(name)) == 2)
    client, server = sorted(seen.named(name), key=lambda span: span.kind is SpanKind.SERVER)
    assert (client.kind, server.kind) == (SpanKind.CLIENT, SpanKind.SERVER)
    assert server.parent.span_id == client.context.span_id
    return client, server


def turn_of(client, **more):
    return client.stream(session_id="s1", model=MODEL, messages=[user("Hello.")], **more)


def blocking(address):
    with Client(address) as client:
        client.complete(session_id="s1", model=MODEL, messages=[user("Hello.")])


@pytest.mark.parametrize("kind", ["stream", "complete"])
async def test_a_call_that_ends_well(service, seen, kind):
    async with AsyncClient(service.address) as client:
        if kind == "stream":
            await turn_of(client).result()
        else:
            await client.complete(session_id="s1", model=MODEL, messages=[user("Hello.")])
        span, _ = await pair(seen, STREAM if kind == "stream" else "trunkline.v1.CompletionService/Complete")
    assert (span.attributes[names.RPC_STATUS], span.status.status_code) == ("OK", StatusCode.UNSET)


async def test_a_call_that_fails(service, seen):
    service.simulator.enqueue(Script(Say("Half", closed=False), Fail()))
    async with AsyncClient(service.address) as client:
        with pytest.raises(TrunklineError):
            await turn_of(client).result()
        span, server = await pair(seen)
    assert span.attributes[names.ERROR_TYPE] == server.attributes[names.RPC_STATUS] == "INTERNAL"
    assert span.status.status_code is StatusCode.ERROR


async def test_an_abandoned_call_ends_its_span(service, seen):
    service.simulator.enqueue(MIDDLE)
    async with AsyncClient(service.address) as client, turn_of(client) as turn:
        async for event in turn:
            if type(event).__name__ == "TextDelta":
                break
    span, server = await pair(seen)
    assert span.attributes[names.RPC_STATUS] == server.attributes[names.RPC_STATUS] == "CANCELLED"


async def test_a_task_that_is_cancelled(service, seen):
    service.simulator.enqueue(MIDDLE)
    async with AsyncClient(service.address) as client:
        asked = client.complete(session_id="s1", model=MODEL, messages=[user("Hello.")])
        task = asyncio.ensure_future(asked)
        await service.simulator.wait_for(lambda: service.simulator.stats.in_flight == 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        span, _ = await pair(seen, "trunkline.v1.CompletionService/Complete")
    assert span.attributes[names.RPC_STATUS] == "CANCELLED"


async def test_the_blocking_client_too(service, seen):
    def stream():
        with Client(service.address) as client:
            turn_of(client).result()

    await asyncio.to_thread(stream)
    span, _ = await pair(seen)
    assert span.attributes[names.RPC_STATUS] == "OK"
    await asyncio.to_thread(blocking, service.address)
    span, _ = await pair(seen, "trunkline.v1.CompletionService/Complete")
    assert span.attributes[names.RPC_STATUS] == "OK"


async def test_the_blocking_client_records_failures(service, seen):
    service.simulator.enqueue(Script(Say("Half", closed=False), Fail()))
    with pytest.raises(TrunklineError):
        await asyncio.to_thread(blocking, service.address)
    span, _ = await pair(seen, "trunkline.v1.CompletionService/Complete")
    assert span.attributes[names.ERROR_TYPE] == "INTERNAL"


async def test_without_opentelemetry_nothing_happens(service, seen, monkeypatch):
    monkeypatch.setattr(tracing, "trace", None)
    monkeypatch.setattr(tracing, "inject", None)
    async with AsyncClient(service.address) as client:
        await turn_of(client).result()
    await seen.until(lambda: seen.named(STREAM))
    assert seen.one(STREAM).parent is None
