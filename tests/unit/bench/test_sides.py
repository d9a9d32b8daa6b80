import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest

from bench.sides import CALL, DELTA, Figures, Sides, sink


class Called:
    """A side that records when it is called and returns the number of the call as its CPU time."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    async def round(self, case):
        self.calls.append((case, self.name))
        return Figures(len(self.calls), 1.0)


@pytest.fixture
def calls():
    return []


async def test_every_other_round_takes_the_sides_in_reverse_order(calls):
    sides: Any = Sides()
    sides.running |= {name: Called(name, calls) for name in ("old", "new")}
    await sides.measure([CALL, DELTA], rounds=2)
    forwards, backwards = ["old", "new"], ["new", "old"]
    orders = [[name for case, name in calls[at : at + 2]] for at in range(0, len(calls), 2)]
    assert orders == [backwards] * 2 + [forwards] * 2 + [backwards] * 2


async def test_the_first_round_is_not_returned(calls):
    sides: Any = Sides()
    sides.running["only"] = Called("only", calls)
    measured = await sides.measure([CALL], rounds=2)
    assert [one.cpu_us for one in measured[CALL]["only"]] == [2, 3]


async def test_the_sink_accepts_one_request_after_another():
    async with sink() as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        for _ in range(2):
            writer.write(b"POST /v1/traces HTTP/1.1\r\nContent-Length: 5\r\n\r\nspans")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()
        await writer.wait_closed()
