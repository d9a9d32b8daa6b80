"""A burst of calls, and a process that a CPU limit stops for a while: the calls are not to blame."""

import asyncio
import signal
from collections import Counter

import pytest

from tests.attack.http2 import Caller, message
from tests.attack.victim import BEARER, victim
from tests.stack import request

COMPLETE = "/trunkline.v1.CompletionService/Complete"
OK, RESOURCE_EXHAUSTED = "0", "8"
BURSTS, CALLS = 20, 20
STOPPED_S = 0.1
REFUSED_SHARE = 0.05
"""Measured 0 of 400 with the steps of the grace, and 80 to 203 of 400 without."""

PATIENCE_S = 60


@pytest.mark.heavy
async def test_a_process_that_stood_still_refuses_no_burst(simulator):
    """The headers arrive before it stops, the messages meanwhile: more of them than there are places."""
    ends = Counter[str]()
    async with victim(simulator.url) as service, asyncio.timeout(PATIENCE_S):
        for burst in range(BURSTS):
            async with Caller(service.port) as caller:
                streams = [await caller.begin(COMPLETE, BEARER) for _ in range(CALLS)]
                await asyncio.sleep(0.015)  # shorter than the grace
                service.program.process.send_signal(signal.SIGSTOP)
                for number, stream in enumerate(streams):
                    asked = request("Hello.", session=f"s{burst}-{number}")
                    await caller.send(stream, message(asked.SerializeToString()))
                await asyncio.sleep(STOPPED_S)
                service.program.process.send_signal(signal.SIGCONT)
                ends.update([await caller.ended(stream) for stream in streams])
    assert ends.keys() <= {OK, RESOURCE_EXHAUSTED}
    assert ends[RESOURCE_EXHAUSTED] <= BURSTS * CALLS * REFUSED_SHARE, ends
