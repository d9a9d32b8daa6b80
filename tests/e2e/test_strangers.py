"""What strangers may do to the Envoy of deploy/envoy.yaml: everybody else is served."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.attack.http2 import Caller, callers, message
from tests.attack.victim import MEBIBYTE
from tests.e2e.callers import MODEL
from tests.e2e.fleet import Fleet, fleet
from tests.stack import request

pytestmark = pytest.mark.deployment

CHECK = "/grpc.health.v1.Health/Check"
COMPLETE = "/trunkline.v1.CompletionService/Complete"
WHOLE = 33 * MEBIBYTE
PATIENCE_S = 60
PINGS = 20


@pytest.fixture
async def house(tmp_path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path, replicas=1) as running:
        yield running


def port(house):
    return int(house.door.rpartition(":")[2])


async def turn(house):
    """The status of an honest call on a connection of its own."""
    async with asyncio.timeout(PATIENCE_S), Caller(port(house)) as caller:
        stream = await caller.begin(COMPLETE)
        await caller.send(stream, message(request("Hello.", model=MODEL).SerializeToString()))
        return await caller.ended(stream)


@pytest.mark.parametrize(("path", "number", "envoy_mib"), [(CHECK, 32, 150), (COMPLETE, 48, 1800)])
async def test_dozens_of_half_sent_calls_refuse_nobody(house, path, number, envoy_mib):
    body = message(b"a" * (WHOLE - 100_000), announced=WHOLE)
    async with callers(port(house), number) as strangers:
        for stranger in strangers:
            async with asyncio.timeout(PATIENCE_S):
                await stranger.send(await stranger.begin(path), body, end=False)
        assert [await turn(house) for _ in range(3)] == ["0"] * 3
        assert house.envoy.memory_mib() <= envoy_mib
        assert house.replicas[0].memory_mib() <= 150


@pytest.mark.parametrize("path", [CHECK, COMPLETE])
async def test_a_message_without_end_is_refused_at_its_bound(house, path):
    async with Caller(port(house)) as caller:
        stream = await caller.begin(path)
        body = message(b"a" * 100 * MEBIBYTE, announced=0xFFFFFFFF)
        async with asyncio.timeout(PATIENCE_S):
            assert await caller.send(stream, body, end=False) <= WHOLE + 2 * MEBIBYTE
            await caller.ended(stream)
    assert await turn(house) == "0"
    assert house.replicas[0].memory_mib() <= 150


async def test_a_bomb_does_not_reach_the_replicas_memory(house):
    packed = gzip.compress(b"a" * 100 * MEBIBYTE)
    async with asyncio.timeout(PATIENCE_S), Caller(port(house)) as caller:
        stream = await caller.begin(COMPLETE, (("grpc-encoding", "gzip"),))
        await caller.send(stream, message(packed, compressed=True))
        assert await caller.ended(stream) == "12"
    assert house.replicas[0].memory_mib() <= 150


async def test_pings_of_a_caller_do_not_end_a_silent_turn(house):
    silent = request("sim:slow(n=2, delay_ms=1500)", model=MODEL)
    async with asyncio.timeout(PATIENCE_S), Caller(port(house)) as caller:
        stream = await caller.begin(COMPLETE)
        await caller.send(stream, message(silent.SerializeToString()))
        for number in range(PINGS):
            caller.connection.ping(number.to_bytes(8, "big"))
            await caller.flush()
            await asyncio.sleep(0.05)
        assert await caller.ended(stream) == "0"
        assert caller.goaway is None


class TestShortTimes:
    """With `request_timeout` shortened to what a test can wait for."""

    @pytest.fixture
    async def house(self, tmp_path) -> AsyncIterator[Fleet]:
        async with fleet(tmp_path, replicas=1, request_timeout="1s") as running:
            yield running

    async def test_a_half_sent_call_ends_and_a_long_answer_does_not(self, house):
        async with asyncio.timeout(PATIENCE_S), Caller(port(house)) as half:
            stream = await half.begin(COMPLETE)
            await half.send(stream, message(b"a", announced=100), end=False)
            await half.ended(stream)
        async with asyncio.timeout(PATIENCE_S), Caller(port(house)) as caller:
            stream = await caller.begin(COMPLETE)
            slow = request("sim:slow(n=4, delay_ms=600)", model=MODEL)
            await caller.send(stream, message(slow.SerializeToString()))
            assert await caller.ended(stream) == "0"

    async def test_a_half_sent_call_of_a_browser_ends(self, house):
        async def body():
            yield b"\0\0\0\0\x64"
            await asyncio.sleep(PATIENCE_S)

        answer = await house.http.post(
            f"http://{house.door}{COMPLETE}",
            content=body(),
            headers={"content-type": "application/grpc-web+proto"},
        )
        assert isinstance(answer, httpx.Response)
        assert answer.headers.get("grpc-status") != "0"
