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


async def busy(house, session="busy"):
    """A turn that holds its line until the gate "go" opens."""
    house.simulator.enqueue(WAITING)
    running = house.simulator.stats.in_flight
    turn = asyncio.create_task(Talk(house, session).say("Wait for it."))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == running + 1, PATIENCE_S)
    return turn


@pytest.mark.parametrize("code", [None, 1000, 1001, 1011])
async def test_a_line_that_was_closed_between_turns_is_replaced(house, code):
    talk = Talk(house)
    await talk.say("Hello.")
    house.simulator.drop_all(code)
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 0, PATIENCE_S)
    done = await talk.say("And again.")
    assert (route(done), context(done)) == (("WEBSOCKET", "preferred"), (False, "new_connection"))
    assert not done.report.connection_reused
    assert done.report.attempts == 1
    assert talk.received.new_items == 3
    assert context(await talk.say("And now?")) == (True, "continued")


async def test_a_line_that_the_upstream_expired_between_turns_is_replaced(start):
    house = await start(upstream=Settings(max_age_s=0.2))
    talk = Talk(house)
    await talk.say("Hello.")
    await house.simulator.wait_for(lambda: house.simulator.stats.expired == 1, PATIENCE_S)
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 0, PATIENCE_S)
    house.simulator.settings.max_age_s = 3600.0
    done = await talk.say("And again.")
    assert (context(done), done.report.attempts) == ((False, "new_connection"), 1)


async def test_original_fault_no_age_rotation(start):
    """A line is replaced before the upstream ends it, also when nobody calls."""
    house = await start({"MAX_AGE_S": "0.2"})
    talk = Talk(house)
    await talk.say("Hello.")
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 0, PATIENCE_S)
    assert house.simulator.stats.expired == 0
    session = await house.sessions.GetSession(spb.GetSessionRequest(session_id="s1"))
    assert session.session.line_state == spb.LINE_STATE_NONE
    assert context(await talk.say("And again.")) == (False, "new_connection")


async def test_a_line_grows_old_in_the_middle_of_a_turn_and_ends_behind_it(start):
    house = await start({"MAX_AGE_S": "0.2"})
    turn = await busy(house, "s1")
    await Talk(house, "other").say("Hello.")
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 1, PATIENCE_S)
    assert house.simulator.stats.in_flight == 1, "only the idle one was replaced"
    house.simulator.open_gate("go")
    await turn
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 0, PATIENCE_S)


async def test_over_the_bound_the_line_that_was_used_longest_ago_is_closed(start):
    house = await start({"MAX_CONNECTIONS": "2"})
    one, two, three = (Talk(house, name) for name in ("one", "two", "three"))
    await one.say("Hello.")
    await two.say("Hello.")
    await one.say("And again.")
    await three.say("Hello.")
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 2, PATIENCE_S)
    assert context(await one.say("And now?")) == (True, "continued")
    assert context(await two.say("And now?")) == (False, "new_connection")


async def test_where_all_lines_are_busy_a_turn_goes_by_sse(start):
    house = await start({"MAX_CONNECTIONS": "1"})
    turn = await busy(house)
    assert route(await Talk(house).say("Hello.")) == ("SSE", "pool_full")
    house.simulator.open_gate("go")
    await turn
    assert route(await Talk(house).say("Hello.")) == ("WEBSOCKET", "preferred")


async def test_where_all_lines_are_busy_a_forced_turn_waits_for_one(start):
    house = await start({"MAX_CONNECTIONS": "1"})
    turn = await busy(house)
    waits = asyncio.create_task(Talk(house).say("Hello.", options=WEBSOCKET))
    await until(lambda: len(house.manager._pool._waiters) == 1)
    house.simulator.open_gate("go")
    await turn
    done = await waits
    assert route(done) == ("WEBSOCKET", "requested")
    assert house.simulator.stats.http_requests == 0


async def test_those_who_wait_for_a_line_get_it_in_turn(start):
    house = await start({"MAX_CONNECTIONS": "1"})
    turn = await busy(house)
    waiting = []
    for number in range(5):
        waiting.append(asyncio.create_task(Talk(house, str(number)).say("Hello.", options=WEBSOCKET)))
        await until(lambda: len(house.manager._pool._waiters) == len(waiting))
    house.simulator.open_gate("go")
    await asyncio.gather(turn, *waiting)
    assert house.simulator.stats.connections_total == 6
    assert house.simulator.stats.max_in_flight == 1


async def test_a_forced_turn_that_waits_in_vain_is_refused_and_nothing_was_sent(start):
    house = await start({"MAX_CONNECTIONS": "1", "CONNECT_TIMEOUT_S": "0.3"})
    turn = await busy(house)
    failure = await failed(house.turn(request("Hello.", options=WEBSOCKET)))
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (failure.reason, failure.sent) == ("OVERLOADED", "false")
    house.simulator.open_gate("go")
    await turn


async def test_warm_spares_stand_ready_and_are_replaced(start):
    house = await start({"WARM_SPARES": "2"})
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 2, PATIENCE_S)
    done = await Talk(house).say("Hello.")
    assert done.report.connection_reused
    assert done.report.timings.connect.nanos == 0
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 3, PATIENCE_S)
    assert house.simulator.stats.requests_total == 1


async def test_without_spares_no_line_exists_that_nobody_asked_for(house):
    await Talk(house).say("Hello.", options={"transport": 3})
    assert house.simulator.stats.handshakes == 0


async def test_original_fault_no_cool_down_after_a_connect_failure(start):
    """The second turn does not dial. Once the cool-down is over one does, and the line is back."""
    house = await start({"COOLDOWN_S": "0.5"}, upstream=Settings(refuse_websocket=503))
    assert route(await Talk(house).say("Hello.")) == ("SSE", "connect_failed")
    assert house.simulator.stats.handshakes == 1
    breaker = house.manager._pool._breaker
    breaker._retry_at += 3600
    assert route(await Talk(house).say("Hello.")) == ("SSE", "cooldown")
    assert house.simulator.stats.handshakes == 1
    house.simulator.settings.refuse_websocket = None
    breaker._retry_at = 0
    assert route(await Talk(house).say("Hello.")) == ("WEBSOCKET", "preferred")


async def test_an_open_line_goes_on_through_a_cool_down(start):
    house = await start()
    talk = Talk(house)
    await talk.say("Hello.")
    house.simulator.settings.refuse_websocket = 503
    assert route(await Talk(house, "other").say("Hello.")) == ("SSE", "connect_failed")
    done = await talk.say("And again.")
    assert (route(done), context(done)) == (("WEBSOCKET", "preferred"), (True, "continued"))


async def test_many_turns_at_once_meet_a_dead_endpoint_with_few_dials(start):
    """Those that dial together fail together; who comes later does not try."""
    house = await start(upstream=Settings(refuse_websocket=503))
    await asyncio.gather(*(Talk(house, f"s{number}").say("Hello.") for number in range(10)))
    dialled = house.simulator.stats.handshakes
    assert 1 <= dialled <= 10
    await asyncio.gather(*(Talk(house, f"s{number}").say("Hello.") for number in range(10)))
    assert house.simulator.stats.handshakes == dialled


async def test_over_max_turns_a_turn_is_refused_at_once(start):
    house = await start({"MAX_TURNS": "1"})
    turn = await busy(house)
    failure = await failed(house.turn(request("Hello.")))
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (failure.reason, failure.sent) == ("OVERLOADED", "false")
    house.simulator.open_gate("go")
    await turn
    assert await house.done(request("Hello."))


async def test_with_a_queue_it_waits_and_says_how_long(start):
    house = await start({"MAX_TURNS": "1", "QUEUE_SIZE": "1"})
    turn = await busy(house)
    queued = asyncio.create_task(house.done(request("Hello.")))
    await until(lambda: len(house.manager._admission._queue) == 1)
    house.simulator.open_gate("go")
    await turn
    assert (await queued).report.timings.queue.nanos > 0
