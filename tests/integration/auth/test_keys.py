"""Callers who pay with a key of their own: nothing of one key ever serves another."""

import asyncio

import pytest

from simulator import Settings
from simulator.scripts import Gate, Say, Script
from tests.integration.auth.doors import DOORS, TURNS, Knock, outcome, outcomes, payer, refusal
from tests.integration.rpc.test_completion import info
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, context, until
from tests.stack import request, user


def pays(key):
    return (("x-upstream-key", key),)


class Payer:
    """One conversation in one session, paid for by whom each turn says."""

    def __init__(self, replica):
        self.replica = replica
        self.messages = []

    async def say(self, text, key=None, **fields):
        self.messages.append(user(text))
        metadata = pays(key) if key else ()
        done = await self.replica.done(request(*self.messages, **fields), metadata=metadata)
        self.messages.append(done.message)
        return context(done), payer(self.replica.simulator.requests[-1])


async def test_another_key_on_a_session_opens_another_line_and_tells_all(start):
    replica = await start({"CALLER_KEYS": "1"})
    talk = Payer(replica)
    assert await talk.say("One.", "sk-1") == ((False, "first_turn"), "sk-1")
    assert await talk.say("Two.", "sk-1") == ((True, "continued"), "sk-1")
    assert await talk.say("Three.", "sk-2") == ((False, "new_connection"), "sk-2")
    assert await talk.say("Four.", "sk-2") == ((True, "continued"), "sk-2")
    assert await talk.say("Five.") == ((False, "new_connection"), "k")
    assert await talk.say("Six.", "sk-1") == ((False, "new_connection"), "sk-1")
    assert [received.connection_id for received in replica.simulator.requests].count(
        replica.simulator.requests[0].connection_id
    ) == 2
    assert replica.simulator.stats.open_connections == 1, "the lines of the other keys are closed"


async def test_a_post_is_paid_by_its_caller(start):
    replica = await start({"CALLER_KEYS": "1"})
    talk = Payer(replica)
    for key in ("sk-1", "sk-2", None):
        assert await talk.say("Hello.", key, options=SSE) == ((False, "sse"), key or "k")


async def test_a_fork_is_paid_by_its_caller(start):
    replica = await start({"CALLER_KEYS": "1"})
    replica.simulator.enqueue(Script(Gate("go"), Say("At last.")))
    running = asyncio.ensure_future(replica.done(request("Wait."), metadata=pays("sk-1")))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    fork = await replica.done(request("Beside."), metadata=pays("sk-2"))
    assert context(fork) == (False, "fork")
    assert [payer(received) for received in replica.simulator.requests] == ["sk-1", "sk-2"]
    replica.simulator.open_gate("go")
    done = await running
    talk = Payer(replica)
    talk.messages = [user("Wait."), done.message]
    assert await talk.say("And?", "sk-1") == ((True, "continued"), "sk-1"), "the session is still the first's"


async def test_a_spare_is_for_the_service_s_own_key(start):
    replica = await start({"CALLER_KEYS": "1", "WARM_SPARES": "1"})
    await until(lambda: replica.pool._state.spares == 1)
    theirs = await replica.done(request("Hello.", session="theirs"), metadata=pays("sk-1"))
    ours = await replica.done(request("Hello.", session="ours"))
    assert (theirs.report.connection_reused, ours.report.connection_reused) == (False, True)
    assert [payer(received) for received in replica.simulator.requests] == ["sk-1", "k"]


async def test_a_warmed_line_is_of_the_key_that_warmed_it(start):
    replica = await start({"CALLER_KEYS": "1"})
    await Knock(replica.channel, pays("sk-1")).warm()
    done = await replica.done(request("Hello."), metadata=pays("sk-1"))
    assert done.report.connection_reused
    await Knock(replica.channel, pays("sk-1"), session="s2").warm()
    done = await replica.done(request("Hello.", session="s2"), metadata=pays("sk-2"))
    assert not done.report.connection_reused
    assert [payer(received) for received in replica.simulator.requests] == ["sk-1", "sk-2"]


async def test_where_the_service_has_no_key_callers_must_bring_theirs(start):
    replica = await start({"CALLER_KEYS": "1"}, key="")
    refused = await outcomes(Knock(replica.channel))
    assert refused == dict.fromkeys(DOORS, "OK") | dict.fromkeys(TURNS, "UNAUTHENTICATED") | {
        "get": "NOT_FOUND"
    }
    assert replica.simulator.stats.handshakes == 0
    reported = "send the upstream's key in the metadata: x-upstream-key"
    assert await refusal(Knock(replica.channel).complete) == ("UNAUTHENTICATED", reported)
    assert set((await outcomes(Knock(replica.channel, pays("sk-1")))).values()) == {"OK"}


@pytest.mark.parametrize("metadata", [pays(""), pays("two words"), pays("k" * 1025), pays("a") + pays("b")])
async def test_what_is_no_key_is_refused(start, metadata):
    replica = await start({"CALLER_KEYS": "1"})
    said, error = await outcome(Knock(replica.channel, metadata).stream)
    assert (said, info(error)[1]["sent"]) == ("UNAUTHENTICATED", "false")


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_key_that_is_refused_costs_the_others_nothing(start, status):
    """A handshake that fails by a caller's key does not keep the others from their WebSockets."""
    replica = await start({"CALLER_KEYS": "1"}, upstream=Settings(refuse_websocket=status, refuse_times=1))
    said, _ = await outcome(Knock(replica.channel, pays("sk-bad"), session="bad").stream)
    assert said == ("FAILED_PRECONDITION" if status == 401 else "OK")
    good = await replica.done(request("Hello.", options=WEBSOCKET))
    assert payer(replica.simulator.requests[-1]) == "k"
    assert good.report.transport_reason == "requested"
