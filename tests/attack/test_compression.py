"""Small compressed messages that are large inside: nobody unpacks them."""

import gzip

import pytest

from tests.attack.http2 import Caller, message
from tests.attack.victim import BEARER, MEBIBYTE, victim

CHECK = "/grpc.health.v1.Health/Check"
COMPLETE = "/trunkline.v1.CompletionService/Complete"
PEAK_MIB = 100
UNIMPLEMENTED = "12"


def bomb(mebibytes: int) -> bytes:
    """A string in field 1 of so many MiB, which is a legal message of every method here."""
    size = mebibytes * MEBIBYTE
    varint = b""
    while size > 127:
        varint += bytes([size & 127 | 128])
        size >>= 7
    return gzip.compress(b"\x0a" + varint + bytes([size]) + b"a" * (mebibytes * MEBIBYTE), 6)


@pytest.mark.heavy
@pytest.mark.parametrize(("path", "metadata"), [(CHECK, ()), (COMPLETE, BEARER)])
async def test_a_bomb_is_refused_before_it_is_unpacked(simulator, path, metadata):
    async with victim(simulator.url) as service, Caller(service.port) as caller:
        stream = await caller.begin(path, (("grpc-encoding", "gzip"), *metadata))
        await caller.send(stream, message(bomb(400), compressed=True))
        assert await caller.ended(stream) == UNIMPLEMENTED
        assert service.peak_mib() <= PEAK_MIB


async def test_a_small_compressed_message_is_refused_by_name(simulator):
    async with victim(simulator.url) as service, Caller(service.port) as caller:
        stream = await caller.begin(CHECK, (("grpc-encoding", "gzip"),), flush=False)
        await caller.send(stream, message(gzip.compress(b""), compressed=True))
        assert await caller.ended(stream) == UNIMPLEMENTED
