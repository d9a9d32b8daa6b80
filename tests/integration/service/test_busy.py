"""A service whose loop is busy: running answers wait for the next poll, and nothing is lost."""

import asyncio

import pytest

from service.runtime import paced_loop, process
from service.runtime.paced_loop import LONGEST_S, SHARED_S
from simulator.scripts import Drop, Say, Script
from tests.integration.faults.endings import ended
from tests.integration.service.talk import PATIENCE_S, until
from tests.stack import kinds_of, request, stack, text_of

SAID = "All of this was said. " * 9
SLOW = "sim:slow(n=60, delay_ms=5)"


@pytest.fixture(params=[SHARED_S, 5 * SHARED_S, LONGEST_S])
def busy(request, monkeypatch):
    """Run a talk with a service whose delay is always this long."""
    monkeypatch.setattr(paced_loop, "next_delay", lambda *_: request.param)

    def run(talk, settings=None):
        runner, keeper = process.runner()
        assert keeper is not None

        async def busy_service(keeper=keeper):
            async with stack(settings, pace=keeper) as replica:
                await until(lambda: keeper.delay_s)
                return await asyncio.wait_for(talk(replica), PATIENCE_S)

        with runner:
            return runner.run(busy_service())

    return run


def test_answers_side_by_side_come_whole(busy):
    async def talk(replica):
        calls = [replica.turn(request(SLOW, session=f"s{number}")) for number in range(12)]
        return await asyncio.gather(*calls)

    for events in busy(talk):
        kinds = kinds_of(events)
        assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("start", "done", {"text_delta"})
        assert text_of(events) == events[-1].done.message.parts[0].text.text


def test_a_cut_connection_ends_its_turn_once_with_all_that_arrived(busy):
    async def talk(replica):
        replica.simulator.enqueue(Script(Say(SAID, closed=False), Drop(reset=False)))
        return await ended(replica)

    found = busy(talk)
    kinds = kinds_of(found.events)
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("start", "error", {"text_delta"})
    assert text_of(found.events) == found.error.partial.parts[0].text.text == SAID


@pytest.mark.parametrize("busy", [2.0], indirect=True)
def test_an_answer_that_waits_for_the_next_poll_is_no_silence(busy):
    """The upstream sends each 5 ms, and is not polled for longer than the idle timeout."""

    async def talk(replica):
        return await replica.done(request(SLOW))

    assert busy(talk, {"IDLE_TIMEOUT_S": "1.2"}).message.parts


def test_a_session_continues_over_the_connection_that_was_throttled(busy):
    async def talk(replica):
        first = await replica.done(request(SLOW))
        second = await replica.done(request(SLOW, first.message, SLOW))
        return first, second

    assert busy(talk)[1].report.connection_reused
