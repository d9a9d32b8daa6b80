"""One valid request in its worst shape, and many large ones at once: what others wait, what memory it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
import pytest_asyncio

from simulator import Simulator
from simulator.scripts import Hang, Script, Start
from tests.attack.shapes import GROWING, HEAD, HELLO, HONEST, REFUSED, field, message, text
from tests.attack.victim import BEARER, MEBIBYTE, Victim, probing, victim

METHOD = "/trunkline.v1.CompletionService/StreamCompletion"
UNBOUNDED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
LARGEST = int(31.9 * MEBIBYTE)
LIGHT = 2 * MEBIBYTE
PEAK_TIMES = 10
"""A request's size times this is the most that the process may take for it, itself included."""

LIGHT_PEAK_MIB = 110
OTHERS_WAIT_S = 0.1
TRIES = 3
BUSY_MACHINE = 3
"""Tests share their cores with others: what is 0.1 s on a quiet machine may be so many times more. The kind
of fault that is looked for takes 50 times as long.
"""

REPLICA_MIB = 900


@asynccontextmanager
async def caller(service: Victim) -> AsyncIterator[grpc.aio.UnaryStreamMultiCallable[bytes, bytes]]:
    """Sends bytes as they are, over a connection of its own."""
    async with grpc.aio.insecure_channel(service.address, UNBOUNDED) as channel:
        yield channel.unary_stream(METHOD, request_serializer=bytes, response_deserializer=bytes)


async def ending(service: Victim, raw: bytes, metadata=BEARER) -> tuple[str, str]:
    """The code of the status and its message, of a call on its own connection."""
    async with caller(service) as stream:
        call = stream(raw, metadata=metadata, timeout=120)
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details() or ""
        return "OK", ""


def refused(shape: str, size: int) -> tuple[str, bytes]:
    name, make = REFUSED[shape]
    return name, make(size)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared():
    """One process for many requests, none of which may leave anything in it."""
    async with Simulator() as simulator, victim(simulator.url) as service:
        yield service


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("shape", REFUSED)
async def test_a_bad_shape_is_refused_by_name_and_costs_little(shared, shape):
    name, raw = refused(shape, LIGHT)
    shared.forget_peak()
    code, details = await ending(shared, raw)
    assert (code, details.partition(": ")[0]) == ("INVALID_ARGUMENT", name)
    assert "at most" in details or "more than" in details
    assert shared.peak_mib() <= LIGHT_PEAK_MIB


@pytest.mark.heavy
@pytest.mark.parametrize("shape", ["empty texts", "tools", "an extra body", "a model", "unknown fields"])
async def test_a_bad_shape_of_the_largest_size_keeps_nobody_waiting(simulator, shape):
    name, raw = refused(shape, LARGEST)
    await _measured(simulator, raw, "INVALID_ARGUMENT", name)


@pytest.mark.heavy
@pytest.mark.parametrize("shape", GROWING)
async def test_what_grows_as_json_is_refused_before_it_is_whole(simulator, shape):
    await _measured(simulator, GROWING[shape](LARGEST), "INVALID_ARGUMENT", "request")


@pytest.mark.heavy
@pytest.mark.parametrize(
    "shape", ["one text", "10,000 messages", "an image", "phases", "an item", "an item of objects"]
)
async def test_an_honest_request_of_the_largest_size_keeps_nobody_waiting(simulator, shape):
    await _measured(simulator, HONEST[shape](LARGEST), "OK", "")


async def _measured(simulator: Simulator, raw: bytes, code: str, name: str) -> None:
    waits: list[float] = []
    async with victim(simulator.url) as service:
        for _ in range(TRIES):
            async with probing(service.address) as others:
                reported = await ending(service, raw)
            assert (reported[0], reported[1].partition(": ")[0]) == (code, name)
            if not waits:  # later tries meet what the allocator kept of earlier ones
                assert service.peak_mib() <= PEAK_TIMES * len(raw) / MEBIBYTE
            waits.append(others.worst_s)
            if others.worst_s <= OTHERS_WAIT_S:
                break
        assert min(waits) <= OTHERS_WAIT_S * BUSY_MACHINE


@pytest.mark.heavy
@pytest.mark.parametrize(("count", "mebibytes"), [(8, 31.9), (24, 31.9), (16, 10), (40, 3)])
async def test_many_large_requests_at_once_leave_the_replica_alive(simulator, count, mebibytes):
    size = int(mebibytes * MEBIBYTE)
    async with victim(simulator.url) as service:
        raws = [
            field(1, b"s%d" % number) + field(2, b"m") + message(1, text(b"a" * size))
            for number in range(count)
        ]
        endings = await asyncio.gather(*(ending(service, raw) for raw in raws))
        assert service.alive
        assert service.peak_mib() <= REPLICA_MIB
        assert {code for code, _ in endings} <= {"OK", "RESOURCE_EXHAUSTED"}
        assert ("OK", "") in endings
        overloaded = [details for code, details in endings if code == "RESOURCE_EXHAUSTED"]
        # Some find no place to arrive in, the others no room in the budget.
        known = ("TRUNKLINE_MAX_REQUEST_BYTES_IN_FLIGHT", "places for slow messages")
        assert all(any(words in details for words in known) for details in overloaded)


async def test_what_is_over_the_budget_is_overloaded_by_name(simulator):
    async with victim(simulator.url, MAX_REQUEST_BYTES_IN_FLIGHT=str(MEBIBYTE)) as service:
        code, details = await ending(service, HONEST["one text"](LIGHT))
        assert code == "RESOURCE_EXHAUSTED"
        assert "TRUNKLINE_MAX_REQUEST_BYTES_IN_FLIGHT" in details
        assert (await ending(service, HEAD + HELLO))[0] == "OK"


async def test_a_call_over_the_limit_of_turns_costs_little_whatever_its_size(simulator):
    simulator.enqueue(Script(Start(), Hang()))
    async with victim(simulator.url, MAX_TURNS="1") as service, caller(service) as stream:
        running = stream(HEAD + HELLO, metadata=BEARER)
        await running.read()
        raw = REFUSED["tools"][1](LIGHT)
        assert (await ending(service, raw))[0] == "RESOURCE_EXHAUSTED"
        began = service.cpu_s()
        for _ in range(10):
            code, details = await ending(service, raw)
            assert code == "RESOURCE_EXHAUSTED"
            assert "TRUNKLINE_MAX_TURNS" in details
        assert (service.cpu_s() - began) / 10 <= 0.05  # receiving 2 MiB included; parsing them took 0.7
        running.cancel()
