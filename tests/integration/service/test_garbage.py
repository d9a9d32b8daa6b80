"""A turn that ended well is gone: nothing of it waits for the collector, which stops all the others."""

import gc
from contextlib import contextmanager

import grpc
import pytest

from service.rpc.server import STREAMS_BESIDES
from simulator.scripts import Call, Reason, Refuse, Say, Script
from tests.stack import request, stack
from tests.watching import watching


@contextmanager
def garbage():
    """What only the collector would have freed of what the block made: the types that are ours."""
    found: list[str] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += [kind for kind in (str(type(thing)) for thing in gc.garbage) if "'service." in kind]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize(
    "script",
    [
        Script(Say("Hello.")),
        Script(Reason(("Hm.",)), Say("Hello."), Call("f", "{}")),
        Script(Refuse("No.")),
    ],
    ids=["text", "call", "refusal"],
)
async def test_a_turn_that_ends_well_leaves_nothing_for_the_collector(script):
    with watching() as seen:
        async with stack() as house:
            await told(house, seen, script, 1)  # finds what is made once
            with garbage() as found:
                await told(house, seen, script, 2)
    assert found == []


async def told(house, seen, script, number):
    """A turn in a session of its own, and all that is told behind it."""
    house.simulator.enqueue(script)
    await house.done(request("Hello.", session=f"s{number}"))
    await seen.until(lambda: seen.count("rpc.server.call.duration") == number)


async def test_a_call_that_fails_gives_its_stream_back_without_the_collector():
    async with stack({"MAX_TURNS": "1"}) as house:
        limit = 1 + STREAMS_BESIDES
        gc.disable()
        try:
            for _ in range(2 * limit):
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await house.turn(request("Hello.", session="a b"))
                assert failed.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        finally:
            gc.enable()
