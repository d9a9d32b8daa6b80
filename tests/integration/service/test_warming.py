"""Before the first message: a line that is open, and a model that knows the tools already."""

import asyncio
from typing import Any

import grpc
import pytest

from service.gen.trunkline.v1 import session_pb2 as spb
from service.sessions import warmup
from simulator import Settings
from simulator.scripts import Drop, Fail, Gate, Hang, Say, Script, Start
from tests.integration.service.talk import LOOKUP, PATIENCE_S, SSE, Talk, context, failed, route, until
from tests.stack import MODEL, text_of

HEAD: dict[str, Any] = {"instructions": "Be brief.", "tools": [LOOKUP]}
WARM_UP = {"warm_up": True}
TROUBLES = {
    "refused": Script(Fail("Not here.", "invalid_value", 400, "invalid_request_error")),
    "failed": Script(Start(), Fail()),
    "dropped": Script(Drop()),
    "dropped after the start": Script(Start(), Drop()),
}


async def warm(replica, *, prime, session="s1", model=MODEL, **head):
    request = spb.WarmSessionRequest(session_id=session, model=model, prime=prime, **head)
    return (await replica.sessions.WarmSession(request, timeout=PATIENCE_S)).session


async def test_a_warm_session_has_an_open_line(replica):
    session = await warm(replica, prime=False)
    assert (session.session_id, session.live, session.line_state) == ("s1", True, spb.LINE_STATE_IDLE)
    assert replica.simulator.stats.open_connections == 1
    assert replica.simulator.stats.requests_total == 0
    done = await Talk(replica).say("Hello.")
    assert done.report.connection_reused
    assert done.report.timings.connect.nanos == 0
    assert context(done) == (False, "first_turn")
    assert replica.simulator.stats.handshakes == 1


async def test_a_primed_session_sends_only_the_messages_and_continues_the_warm_up(replica):
    await warm(replica, prime=True, **HEAD)
    (warm_up,) = replica.simulator.requests
    assert not warm_up.generate
    assert warm_up.body["input"] == []
    assert warm_up.body["tools"][0]["name"] == "lookup"

    talk = Talk(replica, **HEAD)
    done = await talk.say("Hello.")
    assert context(done) == (True, "primed")
    assert (done.report.attempts, done.report.bytes_saved) == (1, 0)
    assert talk.received.previous_response_id == warm_up.response_id
    assert (talk.received.new_items, talk.received.repeated_items) == (1, 0)
    assert context(await talk.say("And again.")) == (True, "continued")


async def test_a_primed_session_that_is_used_otherwise_starts_in_full(replica):
    await warm(replica, prime=True, **HEAD)
    done = await Talk(replica, **HEAD | {"model": "simulated-2"}).say("Hello.")
    assert context(done) == (False, "model_changed")
    assert done.report.connection_reused


async def test_warming_twice_opens_one_line(replica):
    await warm(replica, prime=False)
    await warm(replica, prime=False)
    assert replica.simulator.stats.connections_total == 1


async def test_warming_a_session_in_use_keeps_its_line_and_its_chain(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    await warm(replica, prime=False)
    assert context(await talk.say("And again.")) == (True, "continued")


async def test_a_session_that_runs_a_turn_needs_no_warming(replica):
    talk = Talk(replica)
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    session = await warm(replica, prime=True)
    assert session.line_state == spb.LINE_STATE_BUSY
    replica.simulator.open_gate("go")
    await turn
    assert replica.simulator.stats.connections_total == 1
    assert replica.simulator.stats.requests_total == 1


async def test_warming_where_no_line_can_be_had_says_so(start):
    replica = await start(upstream=Settings(refuse_websocket=503))
    failure = await failed(warm(replica, prime=True))
    assert failure.code is grpc.StatusCode.UNAVAILABLE
    assert failure.reason == "CONNECT_FAILED"
    assert route(await Talk(replica).say("Hello."))[0] == "SSE"


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_priming_that_fails_still_gives_a_line(replica, trouble):
    replica.simulator.enqueue(TROUBLES[trouble], warm_up=True)
    session = await warm(replica, prime=True)
    assert session.line_state == spb.LINE_STATE_IDLE
    done = await Talk(replica).say("Hello.")
    assert (context(done), done.report.connection_reused) == ((False, "first_turn"), True)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_warm_up_that_fails_does_not_harm_its_turn(replica, trouble):
    replica.simulator.enqueue(TROUBLES[trouble], warm_up=True)
    talk = Talk(replica, options=WARM_UP)
    done = await talk.say("Hello.")
    assert context(done) == (False, "first_turn")
    assert done.report.attempts == 1
    assert (await talk.say("And again.")).report.context_reason == "continued"


async def test_the_warm_up_option_primes_a_new_line_once(replica):
    talk = Talk(replica, **HEAD, options=WARM_UP)
    done = await talk.say("Hello.")
    assert context(done) == (True, "primed")
    assert done.report.attempts == 1, "a warm-up is no attempt"
    assert not done.report.connection_reused
    await talk.say("And again.")
    assert [received.generate for received in replica.simulator.requests] == [False, True, True]
    assert all(received.repeated_items == 0 for received in replica.simulator.requests)


async def test_the_warm_up_option_means_nothing_by_sse(replica):
    await Talk(replica, options={**WARM_UP, **SSE}).say("Hello.")
    assert [received.generate for received in replica.simulator.requests] == [True]


async def test_original_fault_parent_id_taken_from_whatever_completed_last_a_warm_up(start):
    """A server that does not know `generate: false` answers in earnest: nothing may build on it."""
    replica = await start(upstream=Settings(ignore_generate=True))
    replica.simulator.enqueue(Script(Say("Nobody asked.")), warm_up=True)
    await warm(replica, prime=True, **HEAD)
    talk = Talk(replica, **HEAD)
    done = await talk.say("sim:say(text=This was asked.)")
    assert context(done) == (False, "first_turn")
    assert talk.text == "This was asked."
    assert talk.received.previous_response_id is None


async def test_original_fault_warm_up_pasted_as_a_second_event_loop(replica):
    """A turn that comes during the warm-up of its session waits for it: one reader, one line, one chain."""
    replica.simulator.enqueue(Script(Start(), Gate("go")), warm_up=True)
    warming = asyncio.create_task(warm(replica, prime=True, **HEAD))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    talk = Talk(replica, **HEAD)
    turn = asyncio.create_task(talk.say("Hello."))
    await until(lambda: replica.manager._admission.running == 2)
    await Talk(replica, "other").say("Meanwhile.")
    assert not turn.done()
    assert replica.simulator.stats.requests_total == 2
    replica.simulator.open_gate("go")
    assert context(await turn) == (True, "primed")
    await warming
    assert talk.received.connection_id == replica.simulator.requests[0].connection_id


async def test_of_the_turns_that_waited_for_a_warm_up_one_is_primed_and_the_others_are_forks(replica):
    replica.simulator.enqueue(Script(Start(), Gate("go")), warm_up=True)
    warming = asyncio.create_task(warm(replica, prime=True))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    turns = [asyncio.create_task(Talk(replica).say("Hello.")) for _ in range(3)]
    await until(lambda: replica.manager._admission.running == 4)
    replica.simulator.open_gate("go")
    assert sorted([context(await turn)[1] for turn in turns]) == ["fork", "fork", "primed"]
    await warming


async def test_a_warm_up_that_hangs_is_given_up_and_not_tried_again(replica, monkeypatch):
    monkeypatch.setattr(warmup, "WARM_UP_S", 0.1)
    replica.simulator.enqueue(Script(Start(), Hang()), warm_up=True)
    done = await Talk(replica, options=WARM_UP).say("Hello.")
    assert (context(done), done.report.attempts) == ((False, "first_turn"), 1)
    assert [received.generate for received in replica.simulator.requests] == [False, True]
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)


async def test_leaving_a_warm_up_frees_the_session(replica):
    replica.simulator.enqueue(Script(Hang()), warm_up=True)
    request = spb.WarmSessionRequest(session_id="s1", model=MODEL, prime=True)
    call = replica.sessions.WarmSession(request)
    warming = asyncio.ensure_future(call)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await warming
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    talk = Talk(replica)
    assert context(await talk.say("sim:say(text=Here I am.)")) == (False, "first_turn")
    assert text_of(talk.events) == "Here I am."


async def test_a_warm_up_takes_the_place_of_a_turn(start):
    replica = await start({"MAX_TURNS": "1"})
    replica.simulator.enqueue(Script(Start(), Gate("go")), warm_up=True)
    warming = asyncio.create_task(warm(replica, prime=True))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    assert replica.manager.counts().turns == 1
    for refused in (warm(replica, prime=False, session="s2"), Talk(replica, "s3").say("Hello.")):
        failure = await failed(refused)
        assert (failure.reason, "TRUNKLINE_MAX_TURNS" in failure.message) == ("OVERLOADED", True)
    replica.simulator.open_gate("go")
    await warming
    await Talk(replica, "s3").say("Hello.")


async def test_the_drain_ends_a_warm_up_by_name(replica):
    replica.simulator.enqueue(Script(Hang()), warm_up=True)
    warming = asyncio.create_task(failed(warm(replica, prime=True)))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    await replica.manager.drain(PATIENCE_S)
    assert (await warming).reason == "SHUTTING_DOWN"
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 0, PATIENCE_S)


async def test_a_warm_up_has_an_end(start):
    replica = await start({"TURN_TIMEOUT_S": "1"})
    replica.simulator.enqueue(Script(Hang()), warm_up=True)
    failure = await failed(warm(replica, prime=True))
    assert (failure.reason, "TRUNKLINE_TURN_TIMEOUT_S" in failure.message) == ("TIMEOUT", True)


async def test_warm_ups_and_releases_in_turn_are_paced(start):
    replica = await start({"MAX_DIALS": "1"})
    replica.manager._rate._space_s = 3600.0  # no second passes that would allow one more
    await warm(replica, prime=False)
    await replica.sessions.ReleaseSession(spb.ReleaseSessionRequest(session_id="s1"))
    failure = await failed(warm(replica, prime=False))
    assert (failure.reason, "TRUNKLINE_MAX_DIALS" in failure.message) == ("OVERLOADED", True)
    assert replica.simulator.stats.handshakes == 1
    await Talk(replica).say("Hello.")  # a turn is not made to wait
