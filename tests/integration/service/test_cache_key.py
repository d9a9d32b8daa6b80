"""The prompt cache is found again over another line: the request says whose prompt it is."""

import pytest

from tests.integration.service.talk import PATIENCE_S, SSE, Talk, context


async def over_another_line(talk: Talk) -> int:
    """The cached tokens of a turn that goes in full over a line of its own."""
    simulator = talk.replica.simulator
    await talk.say("Hello.")
    simulator.drop_all()
    await simulator.wait_for(lambda: simulator.stats.open_connections == 0, PATIENCE_S)
    done = await talk.say("And again.")
    assert context(done) == (False, "new_connection")
    return done.usage.cached_input_tokens


async def test_a_session_has_a_key_of_its_own(start):
    replica = await start()
    assert await over_another_line(Talk(replica)) > 0
    keys = [received.body["prompt_cache_key"] for received in replica.simulator.requests]
    assert len(set(keys)) == 1
    await Talk(replica, "s2").say("Hello.", options=SSE)
    assert replica.simulator.requests[-1].body["prompt_cache_key"] not in keys
    assert "s2" not in replica.simulator.requests[-1].body["prompt_cache_key"]


async def test_switched_off_the_prompt_is_read_again(start):
    replica = await start({"CACHE_KEY": "off"})
    assert await over_another_line(Talk(replica)) == 0
    assert {"prompt_cache_key"}.isdisjoint(replica.simulator.requests[-1].body)


@pytest.mark.parametrize("setting", ["session", "off"])
async def test_the_callers_own_key_is_sent_as_it_is(start, setting):
    talk = Talk(await start({"CACHE_KEY": setting}), options={"prompt_cache_key": "mine"})
    assert await over_another_line(talk) > 0
    assert talk.received.body["prompt_cache_key"] == "mine"


async def test_another_replica_sends_the_same_key(start):
    one = await start()
    other = await start({"UPSTREAM_URL": one.simulator.url})
    talk = Talk(one)
    await talk.say("Hello.")
    talk.replica = other
    done = (await other.turn(talk.request()))[-1].done
    assert done.usage.cached_input_tokens > 0
