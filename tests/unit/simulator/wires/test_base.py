import asyncio

import pytest

from simulator.wires.base import end_connection


@pytest.mark.parametrize(("reset", "ending"), [(True, ConnectionResetError), (False, None)])
async def test_a_connection_ends_by_reset_or_by_end_of_stream(reset, ending):
    async def answer(reader, writer):
        await reader.readexactly(1)
        end_connection(writer.transport, reset=reset)

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"x")
        if ending:
            with pytest.raises(ending):
                await reader.read()
        else:
            assert await reader.read() == b""
        writer.close()


def test_a_missing_transport_is_ignored():
    end_connection(None, reset=True)
