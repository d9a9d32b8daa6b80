"""Lines to the upstream: how many, how old, whose; and what happens where there is none."""

import asyncio

import grpc
import pytest

from service.gen.trunkline.v1 import session_pb2 as spb
from simulator import Settings
from simulator.scripts import Gate, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, WEBSOCKET, Talk, context, failed, route, until
from tests.stack import request

WAITING = Script(Start(), Gate("go"), Say("At last."))


async def busy(replica, session="busy"):
    """A turn that holds its line until the gate "go" opens."""
    replica.simulator.enqueue(WAITING)
    running = replica.simulator.stats.in_flight
    turn = asyncio.create_task(Talk(replica, session).say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == running + 1, PATIENCE_S)
    return turn


@pytest.mark.parametrize("code", [None, 1000, 1001, 1011])
async def test_a_line_that_was_closed_between_turns_is_replaced(replica, code):
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.drop_all(code)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    done = await talk.say("And again.")
    assert (route(done), context(done)) == (("WEBSOCKET", "preferred"), (False, "new_connection"))
    assert not done.report.connection_reused
    assert done.report.attempts == 1
    assert talk.received.new_items == 3
    assert context(await talk.say("And now?")) == (True, "continued")


async def test_a_line_that_the_upstream_expired_between_turns_is_replaced(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.expire_all()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    assert replica.simulator.stats.expired == 1
    done = await talk.say("And again.")
    assert (context(done), done.report.attempts) == ((False, "new_connection"), 1)


async def test_original_fault_no_age_rotation(start):
    """A line is replaced before the upstream ends it, also when nobody calls."""
    replica = await start({"MAX_AGE_S": "0.2"})
    talk = Talk(replica)
    await talk.say("Hello.")
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    assert replica.simulator.stats.expired == 0
    session = await replica.sessions.GetSession(spb.GetSessionRequest(session_id="s1"))
    assert session.session.line_state == spb.LINE_STATE_NONE
    assert context(await talk.say("And again.")) == (False, "new_connection")


async def test_a_line_grows_old_in_the_middle_of_a_turn_and_ends_after_it(start):
    replica = await start({"MAX_AGE_S": "0.2"})
    turn = await busy(replica, "s1")
    await Talk(replica, "other").say("Hello.")
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)
    assert replica.simulator.stats.in_flight == 1, "only the idle one was replaced"
    replica.simulator.open_gate("go")
    await turn
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)


async def test_over_the_bound_the_line_that_was_used_longest_ago_is_closed(start):
    replica = await start({"MAX_CONNECTIONS": "2"})
    one, two, three = (Talk(replica, name) for name in ("one", "two", "three"))
    await one.say("Hello.")
    await two.say("Hello.")
    await one.say("And again.")
    await three.say("Hello.")
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 2, PATIENCE_S)
    assert context(await one.say("And now?")) == (True, "continued")
    assert context(await two.say("And now?")) == (False, "new_connection")


async def test_where_all_lines_are_busy_a_turn_goes_by_sse(start):
    replica = await start({"MAX_CONNECTIONS": "1"})
    turn = await busy(replica)
    assert route(await Talk(replica).say("Hello.")) == ("SSE", "pool_full")
    replica.simulator.open_gate("go")
    await turn
    assert route(await Talk(replica).say("Hello.")) == ("WEBSOCKET", "preferred")


async def test_where_all_lines_are_busy_a_forced_turn_waits_for_one(start):
    replica = await start({"MAX_CONNECTIONS": "1"})
    turn = await busy(replica)
    waits = asyncio.create_task(Talk(replica).say("Hello.", options=WEBSOCKET))
    await until(lambda: len(replica.pool._waiters) == 1)
    replica.simulator.open_gate("go")
    await turn
    done = await waits
    assert route(done) == ("WEBSOCKET", "requested")
    assert replica.simulator.stats.http_requests == 0


async def test_those_who_wait_for_a_line_get_it_in_turn(start):
    replica = await start({"MAX_CONNECTIONS": "1"})
    turn = await busy(replica)
    waiting = []
    for number in range(5):
        waiting.append(asyncio.create_task(Talk(replica, str(number)).say("Hello.", options=WEBSOCKET)))
        await until(lambda: len(replica.pool._waiters) == len(waiting))
    replica.simulator.open_gate("go")
    await asyncio.gather(turn, *waiting)
    assert replica.simulator.stats.connections_total == 6
    assert replica.simulator.stats.max_in_flight == 1


async def test_a_forced_turn_that_waits_in_vain_is_refused_and_nothing_was_sent(start):
    replica = await start({"MAX_CONNECTIONS": "1"})
    turn = await busy(replica)
    with replica.connecting_within(0.1):
        failure = await failed(replica.turn(request("Hello.", options=WEBSOCKET)))
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (failure.reason, failure.sent) == ("OVERLOADED", "false")
    replica.simulator.open_gate("go")
    await turn


async def test_warm_spares_stand_ready_and_are_replaced(start):
    replica = await start({"WARM_SPARES": "2"})
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 2, PATIENCE_S)
    done = await Talk(replica).say("Hello.")
    assert done.report.connection_reused
    assert done.report.timings.connect.nanos == 0
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 3, PATIENCE_S)
    assert replica.simulator.stats.requests_total == 1


async def test_without_spares_no_line_exists_that_nobody_asked_for(replica):
    await Talk(replica).say("Hello.", options={"transport": 3})
    assert replica.simulator.stats.handshakes == 0


async def test_original_fault_no_cool_down_after_a_connect_failure(start):
    """The second turn does not dial. Once the cool-down is over one does, and the line is back."""
    replica = await start({"COOLDOWN_S": "0.5"}, upstream=Settings(refuse_websocket=503))
    assert route(await Talk(replica).say("Hello.")) == ("SSE", "connect_failed")
    assert replica.simulator.stats.handshakes == 1
    breaker = replica.pool._breaker
    breaker._retry_at += 3600
    assert route(await Talk(replica).say("Hello.")) == ("SSE", "cooldown")
    assert replica.simulator.stats.handshakes == 1
    replica.simulator.settings.refuse_websocket = None
    breaker._retry_at = 0
    assert route(await Talk(replica).say("Hello.")) == ("WEBSOCKET", "preferred")


async def test_an_open_line_goes_on_through_a_cool_down(start):
    replica = await start()
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.settings.refuse_websocket = 503
    assert route(await Talk(replica, "other").say("Hello.")) == ("SSE", "connect_failed")
    done = await talk.say("And again.")
    assert (route(done), context(done)) == (("WEBSOCKET", "preferred"), (True, "continued"))


async def test_many_turns_at_once_meet_a_dead_endpoint_with_few_dials(start):
    """Those that dial together fail together; who comes later does not try."""
    replica = await start(upstream=Settings(refuse_websocket=503))
    await asyncio.gather(*(Talk(replica, f"s{number}").say("Hello.") for number in range(10)))
    dialled = replica.simulator.stats.handshakes
    assert 1 <= dialled <= 10
    await asyncio.gather(*(Talk(replica, f"s{number}").say("Hello.") for number in range(10)))
    assert replica.simulator.stats.handshakes == dialled


async def test_over_max_turns_a_turn_is_refused_at_once(start):
    replica = await start({"MAX_TURNS": "1"})
    turn = await busy(replica)
    failure = await failed(replica.turn(request("Hello.")))
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (failure.reason, failure.sent) == ("OVERLOADED", "false")
    replica.simulator.open_gate("go")
    await turn
    assert await replica.done(request("Hello."))


async def test_with_a_queue_it_waits_and_says_how_long(start):
    replica = await start({"MAX_TURNS": "1", "QUEUE_SIZE": "1"})
    turn = await busy(replica)
    queued = asyncio.create_task(replica.done(request("Hello.")))
    await until(lambda: len(replica.manager._admission._queue) == 1)
    replica.simulator.open_gate("go")
    await turn
    assert (await queued).report.timings.queue.nanos > 0
