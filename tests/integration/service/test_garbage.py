"""A turn that ended well is gone: nothing of it waits for the collector, which stops all the others."""

import gc
from contextlib import contextmanager

import pytest

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
