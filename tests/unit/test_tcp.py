"""The TCP server of the tests leaves no connection open: its warning would fail another test."""

import asyncio
import gc
import socket
from random import Random

import pytest

from tests.soak.cuts import cutting_proxy
from tests.tcp import tcp_server


async def echo(reader, writer):
    while data := await reader.read(100):
        writer.write(data)
        await writer.drain()


async def test_what_a_connection_says_is_answered_until_it_ends():
    async with tcp_server(echo) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"Hello.")
        writer.write_eof()
        assert await reader.read() == b"Hello."
        writer.close()


async def test_a_failure_is_reported_and_ends_the_connection():
    async def fail(reader, writer):
        await reader.read(1)
        raise ZeroDivisionError

    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: failures.append(said["exception"]))
    async with tcp_server(fail) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"Hello.")
        assert await reader.read() == b""
        writer.close()
    assert [type(failure) for failure in failures] == [ZeroDivisionError]


@pytest.mark.parametrize("steps", range(24))
async def test_a_connection_that_comes_with_the_end_is_closed(steps):
    async with tcp_server(echo) as port, cutting_proxy(f"127.0.0.1:{port}", Random(steps)) as proxy:
        peer = socket.create_connection(("127.0.0.1", int(proxy.rpartition(":")[2])))
        peer.sendall(b"x" * 3000)  # more than a proxy lets through
        for _ in range(steps):
            await asyncio.sleep(0)
    peer.close()
    gc.collect()  # what is unclosed is an error by its warning
