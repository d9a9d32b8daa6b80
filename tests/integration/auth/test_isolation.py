"""One tenant's sessions are nothing to another, whatever ids they choose."""

import asyncio

from service.gen.trunkline.v1 import session_pb2
from service.sessions.chaining import MISSES
from simulator.scripts import Fail, Gate, Say, Script, Start
from tests.integration.auth.doors import Knock, bearer, outcome
from tests.integration.service.talk import PATIENCE_S, WEBSOCKET, Talk, context, failed
from tests.stack import request, user

ALPHA, BETA = bearer("t0k3n-alpha"), bearer("t0k3n-beta")


async def listed(replica, metadata):
    answer = await replica.sessions.ListSessions(session_pb2.ListSessionsRequest(), metadata=metadata)
    return [session.session_id for session in answer.sessions]


async def test_another_tenant_s_session_cannot_be_seen_released_or_continued(start, auth_file):
    replica = await start({"AUTH_FILE": str(auth_file)})
    alpha, beta = (Knock(replica.channel, metadata, session="same") for metadata in (ALPHA, BETA))
    talk = Talk(replica, "same")

    async def says(text):
        talk.messages.append(user(text))
        done = await replica.done(talk.request(), metadata=ALPHA)
        talk.messages.append(done.message)
        return done

    await says("My secret is heron.")
    assert (await outcome(beta.get))[0] == "NOT_FOUND"
    assert await listed(replica, BETA) == []
    assert (await outcome(beta.release))[0] == "OK", "unknown: a no-op"
    assert (await outcome(alpha.get))[0] == "OK"

    # The whole conversation, with the same id: it is reported in full, over another line.
    stolen = await replica.done(request(*talk.messages, "And?", session="same"), metadata=BETA)
    assert context(stolen) == (False, "first_turn")
    first, second = replica.simulator.requests[-2:]
    assert first.connection_id != second.connection_id
    assert second.previous_response_id is None

    assert context(await says("And now?")) == (True, "continued")
    assert await listed(replica, ALPHA) == await listed(replica, BETA) == ["same"]
    assert (await outcome(beta.release))[0] == "OK"
    assert (await outcome(alpha.get))[0] == "OK"


async def test_a_page_token_of_another_tenant_shows_nothing_of_it(start, auth_file):
    replica = await start({"AUTH_FILE": str(auth_file)})
    for number in range(3):
        await Knock(replica.channel, ALPHA, session=f"s{number}").warm()
    page = session_pb2.ListSessionsRequest(page_size=1)
    token = (await replica.sessions.ListSessions(page, metadata=ALPHA)).next_page_token
    assert token
    page.page_token = token
    assert not (await replica.sessions.ListSessions(page, metadata=BETA)).sessions


NOT_FOUND = Script(Fail("Gone.", "previous_response_not_found", 400))
INVALID = Script(Fail("Not here.", "invalid_value", 400, "invalid_request_error"))


async def say(talk, metadata):
    """One turn of the conversation by the caller of this metadata."""
    talk.messages.append(user("And?"))
    done = await talk.replica.done(talk.request(), metadata=metadata)
    talk.messages.append(done.message)
    return context(done)


async def lose_chains(talk, metadata):
    for _ in range(MISSES):
        talk.replica.simulator.enqueue(NOT_FOUND)
        assert await say(talk, metadata) == (False, "chain_lost")


async def test_chains_that_one_tenant_loses_are_no_verdict_on_another_s(start, auth_file):
    replica = await start({"AUTH_FILE": str(auth_file)})
    alpha, beta = Talk(replica, "a"), Talk(replica, "b")
    await say(alpha, ALPHA)
    await say(beta, BETA)
    await lose_chains(alpha, ALPHA)
    assert await say(alpha, ALPHA) == (False, "chaining_unsupported")
    assert await say(beta, BETA) == (True, "continued")


async def test_a_lost_chain_counts_only_if_the_turn_then_succeeded(start, auth_file):
    replica = await start({"AUTH_FILE": str(auth_file)})
    talk = Talk(replica, "a")
    await say(talk, ALPHA)
    for _ in range(MISSES + 1):
        replica.simulator.enqueue(NOT_FOUND)
        replica.simulator.enqueue(INVALID)
        await failed(replica.done(request(*talk.messages, "Once more.", session="a"), metadata=ALPHA))
        await say(talk, ALPHA)
    assert await say(talk, ALPHA) == (True, "continued")


async def test_a_tenant_s_warm_ups_replace_its_own_lines_and_not_another_s(start, auth_file):
    replica = await start({"AUTH_FILE": str(auth_file), "MAX_CONNECTIONS": "4"})
    beta = Talk(replica, "b")
    await say(beta, BETA)
    for number in range(10):
        await Knock(replica.channel, ALPHA, session=f"s{number}").warm()
    assert await say(beta, BETA) == (True, "continued")
    assert replica.simulator.stats.open_connections == 4


async def test_a_tenant_has_a_limit_of_its_own_for_lines(start, auth_file):
    auth_file.write_text(
        auth_file.read_text().replace("[tenants.alpha]", "[tenants.alpha]\nmax_connections = 1")
    )
    replica = await start({"AUTH_FILE": str(auth_file)})
    for name in ("one", "two"):
        await Knock(replica.channel, ALPHA, session=name).warm()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    running = asyncio.ensure_future(replica.done(request("Hello.", session="two"), metadata=ALPHA))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    with replica.connecting_within(0.1):
        failure = await failed(replica.done(request("Hi.", session="one", options=WEBSOCKET), metadata=ALPHA))
    assert (failure.reason, "max_connections" in failure.message) == ("OVERLOADED", True)
    await replica.done(request("Hi.", options=WEBSOCKET), metadata=BETA)
    replica.simulator.open_gate("go")
    await running


async def test_another_tenant_s_turn_key_names_nothing(start, auth_file):
    """The same session, key and content: each has a turn of its own, and stops only that."""
    replica = await start({"AUTH_FILE": str(auth_file)})
    linger = {"seconds": 60}
    wanted = request("My secret is heron.", session="same", turn_key="k", options={"linger": linger})
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    mine = replica.completions.StreamCompletion(wanted, metadata=ALPHA, timeout=PATIENCE_S)
    events = aiter(mine)
    turn_id = (await anext(events)).start.turn_id
    other = await replica.done(wanted, metadata=BETA)
    assert (other.report.attached, replica.simulator.stats.requests_total) == (False, 2)
    for name in ({"turn_id": turn_id}, {"turn_key": "unknown"}):
        cancel = session_pb2.CancelTurnRequest(session_id="same", **name)
        failure = await failed(replica.sessions.CancelTurn(cancel, metadata=BETA))
        assert failure.reason == "TURN_NOT_FOUND"
    get = session_pb2.GetSessionRequest(session_id="same")
    seen = (await replica.sessions.GetSession(get, metadata=BETA)).session.running_turns
    assert [turn.ended for turn in seen] == [True]
    cancel = session_pb2.CancelTurnRequest(session_id="same", turn_key="k")
    await replica.sessions.CancelTurn(cancel, metadata=BETA)
    replica.simulator.open_gate("go")
    assert [event async for event in events][-1].HasField("done")
