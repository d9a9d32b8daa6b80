"""Two turns at once on one session: the second is a fork, and the chain of the first does not know of it."""

import asyncio

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator.scripts import Gate, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, SSE, Talk, context, route
from tests.stack import kinds_of, request, text_of

WAITING = Script(Start(), Gate("go"), Say("At last."))


async def test_original_fault_no_lock_per_session(replica):
    """A second turn neither waits, nor shares the line, nor reads the other's answer."""
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(WAITING)
    first = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)

    fork = await replica.turn(request("Something else.", session="s1"))
    assert context(fork[-1].done) == (False, "fork")
    assert not fork[-1].done.report.connection_reused
    assert 'You said: "Something else."' in text_of(fork)

    replica.simulator.open_gate("go")
    done = await first
    assert context(done) == (True, "continued")
    assert talk.text == "At last."


async def test_the_line_of_a_fork_ends_with_it(replica):
    talk = Talk(replica)
    replica.simulator.enqueue(WAITING)
    first = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    await replica.done(request("Something else."))
    assert replica.simulator.stats.connections_total == 2
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)
    assert list(replica.simulator.connections) == ["conn_1"]
    replica.simulator.open_gate("go")
    await first


async def test_a_fork_leaves_the_chain_of_its_session_alone(replica):
    talk = Talk(replica)
    replica.simulator.enqueue(WAITING)
    first = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    await replica.done(request("Something else."))
    replica.simulator.open_gate("go")
    answer = (await first).report.response_id
    assert context(await talk.say("And now?")) == (True, "continued")
    assert talk.received.previous_response_id == answer
    assert (talk.received.known_items, talk.received.repeated_items) == (2, 0)


async def test_a_fork_that_outlives_the_turn_it_ran_beside_leaves_the_chain_alone(replica):
    talk = Talk(replica)
    replica.simulator.enqueue(WAITING, Script(Start(), Gate("later"), Say("Later.")))
    first = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    fork = asyncio.create_task(replica.done(request("Something else.")))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 2, PATIENCE_S)
    replica.simulator.open_gate("go")
    await first
    assert context(await talk.say("And now?")) == (True, "continued")
    replica.simulator.open_gate("later")
    assert context(await fork) == (False, "fork")
    assert context(await talk.say("And then?")) == (True, "continued")
    assert talk.received.repeated_items == 0


@pytest.mark.parametrize("beside", [{}, SSE], ids=["websocket", "sse"])
async def test_a_fork_may_go_by_sse_and_beside_a_turn_by_sse(replica, beside):
    replica.simulator.enqueue(WAITING)
    first = asyncio.create_task(replica.turn(request("Wait for it.", options=beside)))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    done = await replica.done(request("Something else.", options=SSE))
    assert (route(done), context(done)) == (("SSE", "requested"), (False, "sse"))
    replica.simulator.open_gate("go")
    assert kinds_of(await first)[-1] == "done"


async def test_many_turns_at_once_on_one_session_all_read_their_own_answer(replica):
    """Each asks for words of its own: nobody gets another's."""
    texts = [f"sim:say(text=This is number {number}.)" for number in range(20)]
    answers = await asyncio.gather(*(replica.turn(request(text)) for text in texts))
    assert [text_of(events) for events in answers] == [f"This is number {number}." for number in range(20)]
    forks = [events[-1].done.report.context_reason for events in answers].count("fork")
    assert forks >= 1
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)


async def test_turns_of_many_sessions_do_not_meet(replica):
    async def converse(number: int) -> list[str]:
        talk = Talk(replica, f"session-{number}")
        reported = []
        for turn in range(5):
            done = await talk.say(f"sim:say(text={number}.{turn})")
            assert done.report.context == (pb.CONTEXT_INCREMENTAL if turn else pb.CONTEXT_FULL)
            reported.append(talk.text)
        return reported

    answers = await asyncio.gather(*map(converse, range(20)))
    assert answers == [[f"{number}.{turn}" for turn in range(5)] for number in range(20)]
    assert all(received.repeated_items == 0 for received in replica.simulator.requests)
    assert replica.simulator.stats.connections_total == 20
