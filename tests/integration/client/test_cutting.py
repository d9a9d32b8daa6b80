import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from clients.conformance.cutting import cutting


async def echo(reader, writer):
    with suppress(ConnectionError):
        while data := await reader.read(100):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def connection(address):
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.fixture
async def service():
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def say(reader, writer):
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"


async def test_the_proxy_forwards_until_it_is_cut_and_then_again(service):
    with cutting(service) as (address, control):
        async with connection(address) as first, connection(address) as second:
            await say(*first)
            await say(*second)
            async with connection(control) as (reader, _):
                assert await reader.read() == b""
            for broken, _ in (first, second):
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    await broken.readexactly(1)
        async with connection(address) as third:
            await say(*third)


async def test_nobody_behind_the_proxy_ends_the_connection():
    with cutting("127.0.0.1:1") as (address, _):
        async with connection(address) as (reader, _):
            assert await reader.read() == b""
