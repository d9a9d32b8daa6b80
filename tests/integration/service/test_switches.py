"""What an operator turns off, for the whole service or for an upstream."""

import pytest

from service.gen.trunkline.v1 import session_pb2
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
