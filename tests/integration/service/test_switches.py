"""What an operator turns off, for the whole service or for an upstream."""

import pytest

from service.gen.trunkline.v1 import session_pb2
from simulator.scripts.faults import Close
from simulator.scripts.steps import Fail, Script
from tests.integration.service.talk import SSE, WEBSOCKET, Talk, context, failed, route
from tests.integration.service.two import upstream
from tests.stack import request


async def test_only_sse(start):
    replica = await start({"TRANSPORT": "sse", "WARM_SPARES": "1"})
    done = await Talk(replica).say("Hello.")
    assert route(done) == ("SSE", "configured")
    assert route(await Talk(replica, options=SSE).say("Hello."))[1] == "requested"
    warmed = await replica.sessions.WarmSession(session_pb2.WarmSessionRequest(session_id="s2"))
    assert not warmed.session.live
    assert replica.simulator.stats.handshakes == 0


async def test_only_websockets(start):
    replica = await start({"TRANSPORT": "websocket"})
    assert route(await Talk(replica).say("Hello.")) == ("WEBSOCKET", "configured")
    replica.simulator.drop_all()
    replica.simulator.settings.refuse_websocket = 503
    failure = await failed(replica.turn(request("Hello.", session="s2")))
    assert (failure.reason, failure.sent) == ("CONNECT_FAILED", "false")
    assert replica.simulator.stats.http_requests == 0


@pytest.mark.parametrize(("allowed", "options"), [("sse", WEBSOCKET), ("websocket", SSE)])
async def test_who_asks_for_the_other_transport_is_refused(start, allowed, options):
    replica = await start({"TRANSPORT": allowed})
    failure = await failed(replica.turn(request("Hello.", options=options)))
    assert (failure.reason, failure.fields) == ("INVALID_REQUEST", ["options.transport"])
    assert not replica.simulator.requests


async def test_a_turn_goes_where_its_transport_is_allowed(two):
    pair = await two(a='transport = "sse"')
    done = await Talk(pair.replica).say("Hello.")
    assert (upstream(done), route(done)) == ("a", ("SSE", "configured"))
    done = await Talk(pair.replica, "s2", options=WEBSOCKET).say("Hello.")
    assert (upstream(done), route(done)) == ("b", ("WEBSOCKET", "requested"))
    await pair.a.stop()
    done = await Talk(pair.replica, "s3").say("Hello.")
    assert (upstream(done), route(done)) == ("b", ("WEBSOCKET", "preferred"))


async def test_nothing_is_incremental_where_that_is_off(start):
    replica = await start({"CHAINING": "off"})
    talk = Talk(replica, options={"store": True})
    await talk.say("Hello.")
    done = await talk.say("You?")
    assert context(done) == (False, "chaining_unsupported")
    assert done.report.connection_reused


async def test_a_model_whose_websocket_is_broken_goes_by_sse_and_no_other(start):
    replica = await start()
    simulator = replica.simulator
    failing = Script(Fail())
    for session in ("s1", "s2"):
        await Talk(replica, session, model="good").say("Hello.")
    simulator.enqueue(failing, failing)
    assert (
        await failed(replica.turn(request("Hello.", session="s3", model="bad")))
    ).reason == "UPSTREAM_ERROR"
    simulator.enqueue(failing)
    done = await Talk(replica, "s4", model="bad").say("Hello.")
    assert (route(done), done.report.attempts) == (("SSE", "model_cooldown"), 2)
    done = await Talk(replica, "s5", model="bad").say("Hello.")
    assert (route(done), done.report.attempts) == (("SSE", "model_cooldown"), 1)
    assert route(await Talk(replica, "s6", model="good").say("Hello.")) == ("WEBSOCKET", "preferred")
    endpoint = next(iter(replica.upstreams))
    endpoint.models._breakers["bad"]._retry_at = 0.0
    assert route(await Talk(replica, "s7", model="bad").say("Hello."))[0] == "WEBSOCKET"
    assert route(await Talk(replica, "s8", model="bad").say("Hello."))[0] == "WEBSOCKET"


async def test_where_it_fails_by_sse_too_the_websocket_is_not_to_blame(start):
    replica = await start()
    await Talk(replica, "s1", model="good").say("Hello.")
    replica.simulator.enqueue(*[Script(Fail())] * 4)
    for session in ("s2", "s3"):
        await failed(replica.turn(request("Hello.", session=session, model="bad")))
    assert [received.transport for received in replica.simulator.requests] == ["websocket"] * 4 + ["http"]
    assert route(await Talk(replica, "s4", model="bad").say("Hello.")) == ("WEBSOCKET", "preferred")


async def test_silent_lines_of_one_model_do_not_take_websockets_from_the_others(start):
    replica = await start()
    await Talk(replica, "s1", model="good").say("Hello.")
    for session in ("s2", "s3"):
        replica.simulator.enqueue(Script(Close(1011)))
        done = await Talk(replica, session, model="bad").say("Hello.")
        assert route(done) == ("SSE", "connection_lost")
    assert route(await Talk(replica, "s4", model="bad").say("Hello.")) == ("SSE", "model_cooldown")
    assert route(await Talk(replica, "s5", model="good").say("Hello.")) == ("WEBSOCKET", "preferred")
