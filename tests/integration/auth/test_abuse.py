"""Callers who want too much of a connection, spoken to frame by frame: no library would let a test do it."""

import asyncio
import struct
from contextlib import asynccontextmanager

import grpc
import pytest

from tests.integration.auth.doors import Knock, bearer, outcome
from tests.integration.service.talk import PATIENCE_S

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, GOAWAY = 4, 6, 7
ACK = 1
MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE = 3, 6
ENHANCE_YOUR_CALM = 11


def frame(kind, payload=b"", flags=0):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + bytes(4) + payload


class Peer:
    """One HTTP/2 connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def send(self, *frames):
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def next(self, wanted):
        """The payload of the next frame of this kind that is no acknowledgement."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                head = await self.reader.readexactly(9)
                payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                if head[3] == wanted and not head[4] & ACK:
                    return payload


@asynccontextmanager
async def connected(replica):
    host, _, port = replica.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    peer = Peer(reader, writer)
    await peer.send(PREFACE, frame(SETTINGS))
    try:
        yield peer
    finally:
        writer.close()


async def test_who_pings_too_much_is_sent_away_and_nobody_else(start):
    replica = await start()
    async with connected(replica) as peer:
        await peer.next(SETTINGS)
        await peer.send(*[frame(PING, bytes(8))] * 10)
        farewell = await peer.next(GOAWAY)
        assert int.from_bytes(farewell[4:8], "big") == ENHANCE_YOUR_CALM
        assert farewell[8:] == b"too_many_pings"
        assert await asyncio.wait_for(peer.reader.read(), PATIENCE_S) == b"", "the connection is closed"
    assert (await outcome(Knock(replica.channel).complete))[0] == "OK"


async def test_what_a_connection_may_hold_is_reported_at_once(start):
    replica = await start({"MAX_TURNS": "10", "QUEUE_SIZE": "5"})
    async with connected(replica) as peer:
        limits = dict(struct.iter_unpack(">HI", await peer.next(SETTINGS)))
    assert limits[MAX_CONCURRENT_STREAMS] == 10 + 5 + 128
    assert limits[MAX_HEADER_LIST_SIZE] == 16 * 1024


@pytest.mark.parametrize("size", [17_000, 100_000])
async def test_metadata_that_is_too_big_is_refused_before_anything_looks_at_it(start, size):
    replica = await start({"AUTH_TOKENS": "t0k3n=alpha"})
    refused, error = await outcome(Knock(replica.channel, (*bearer("t0k3n"), ("x-big", "x" * size))).complete)
    assert refused == grpc.StatusCode.RESOURCE_EXHAUSTED.name
    assert error is not None
    assert "x" * 100 not in (error.details() or "")
    assert replica.simulator.requests == []
    assert (await outcome(Knock(replica.channel, bearer("t0k3n")).complete))[0] == "OK"
