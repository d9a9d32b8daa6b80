"""Sessions as their owners see them: looked up, listed, released, forgotten."""

import asyncio
import time

import grpc
import pytest

from service.gen.trunkline.v1 import session_pb2 as spb
from simulator.scripts import Gate, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, SSE, Talk, context, failed
from tests.stack import request
from tests.watching import until


async def get(replica, session="s1", **call):
    return (await replica.sessions.GetSession(spb.GetSessionRequest(session_id=session), **call)).session


async def release(replica, session="s1", **call):
    await replica.sessions.ReleaseSession(spb.ReleaseSessionRequest(session_id=session), **call)


async def test_a_session_tells_what_it_did(replica):
    talk = Talk(replica)
    reports = [(await talk.say(text)).report for text in ("One.", "Two.", "Three.")]
    session = await get(replica)
    assert (session.session_id, session.live, session.line_state) == ("s1", True, spb.LINE_STATE_IDLE)
    assert (session.turns, session.incremental_turns) == (3, 2)
    assert session.bytes_saved == sum(report.bytes_saved for report in reports) > 0
    assert 0 < session.created_at.ToNanoseconds() <= session.last_used_at.ToNanoseconds()


async def test_a_session_by_sse_has_no_line(replica):
    await Talk(replica).say("Hello.", options=SSE)
    session = await get(replica)
    assert (session.live, session.line_state, session.turns) == (False, spb.LINE_STATE_NONE, 1)


async def test_a_session_in_use_says_so(replica):
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(Talk(replica).say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    assert (await get(replica)).line_state == spb.LINE_STATE_BUSY
    replica.simulator.open_gate("go")
    await turn
    assert (await get(replica)).line_state == spb.LINE_STATE_IDLE


async def test_an_unknown_session_is_not_found(replica):
    failure = await failed(get(replica, "nobody"))
    assert failure.code is grpc.StatusCode.NOT_FOUND
    assert failure.reason == "SESSION_NOT_FOUND"


async def test_all_sessions_come_page_by_page_and_each_once(start):
    replica = await start({"REPLICA": "here"})
    names = [f"s{number:02d}" for number in range(25)]
    await asyncio.gather(*(Talk(replica, name).say("Hello.", options=SSE) for name in names))
    seen, token, pages = [], "", 0
    while token or not pages:
        page = await replica.sessions.ListSessions(spb.ListSessionsRequest(page_size=10, page_token=token))
        assert page.replica == "here"
        seen += [session.session_id for session in page.sessions]
        token, pages = page.next_page_token, pages + 1
    assert (seen, pages) == (names, 3)


async def test_a_page_holds_as_many_as_asked_and_the_last_has_no_token(replica):
    for name in ("a", "b"):
        await Talk(replica, name).say("Hello.", options=SSE)
    page = await replica.sessions.ListSessions(spb.ListSessionsRequest(page_size=2))
    assert ([session.session_id for session in page.sessions], page.next_page_token) == (["a", "b"], "")


async def test_a_page_token_of_somebody_else_is_refused(replica):
    failure = await failed(replica.sessions.ListSessions(spb.ListSessionsRequest(page_token="?")))
    assert (failure.code, failure.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["page_token"],
    )


async def test_a_released_session_is_gone_and_so_is_its_line(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    await release(replica)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    await failed(get(replica))
    assert context(await talk.say("And again.")) == (False, "first_turn")
    assert (await get(replica)).turns == 1


async def test_releasing_what_is_unknown_is_nothing(replica):
    await release(replica, "nobody")
    await release(replica, "nobody")


async def test_releasing_beside_a_running_turn_lets_it_finish(replica):
    talk = Talk(replica)
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    await release(replica, timeout=PATIENCE_S)
    assert replica.simulator.stats.open_connections == 1
    replica.simulator.open_gate("go")
    await turn
    assert talk.text == "At last."
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    assert context(await talk.say("And again.")) == (False, "first_turn")


async def test_a_session_that_is_used_again_beside_its_released_self_is_a_new_one(replica):
    """The old turn runs on, over its old line; the new one neither waits for it nor is its fork."""
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    old = asyncio.create_task(Talk(replica).say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    await release(replica)
    talk = Talk(replica)
    assert context(await talk.say("Hello.")) == (False, "first_turn")
    replica.simulator.open_gate("go")
    await old
    assert context(await talk.say("And again.")) == (True, "continued")
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)


async def test_sessions_belong_to_who_opened_them(start):
    """The same id of two callers is two sessions, and neither can see or end the other's."""
    replica = await start({"AUTH_TOKENS": "red=one,blue=two"})
    one, two = ({"metadata": (("authorization", f"Bearer {token}"),)} for token in ("red", "blue"))
    first = await replica.done(request("Hello."), **one)
    failure = await failed(get(replica, **two))
    assert failure.code is grpc.StatusCode.NOT_FOUND
    assert not (await replica.sessions.ListSessions(spb.ListSessionsRequest(), **two)).sessions
    await release(replica, **two)
    other = await replica.done(request("Hello.", first.message, "And again."), **two)
    assert context(other) == (False, "first_turn")
    mine = await replica.done(request("Hello.", first.message, "And again."), **one)
    assert context(mine) == (True, "continued")


async def test_original_fault_no_ttl(start):
    """Unused: forgotten, and its line closed."""
    replica = await start({"SESSION_TTL_S": "0.1"})
    talk = Talk(replica)
    await talk.say("Hello.")
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 0, PATIENCE_S)
    await failed(get(replica))
    assert context(await talk.say("And again.")) == (False, "first_turn")


@pytest.mark.parametrize("step", [3600.0, -86_400.0])
async def test_a_wall_clock_that_steps_forgets_no_session(start, monkeypatch, step):
    monkeypatch.setattr("service.sessions.manager.REAPER_PERIOD_S", 0.005)
    replica = await start()
    looks = []
    expire = replica.manager._registry.expire

    def looked(now):
        looks.append(now)
        return expire(now)

    monkeypatch.setattr(replica.manager._registry, "expire", looked)
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.manager._wall = lambda: time.time() + step
    await talk.say("And again.")
    before = len(looks)
    await until(lambda: len(looks) > before + 2)
    assert context(await talk.say("And now?")) == (True, "continued")
    shown = (await get(replica)).last_used_at.seconds
    assert abs(shown - time.time() - step) < PATIENCE_S, "what is shown is the wall clock's"


async def test_a_session_is_not_forgotten_in_the_middle_of_a_turn(start):
    replica = await start({"SESSION_TTL_S": "0.1"})
    talk = Talk(replica)
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(talk.say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    await Talk(replica, "other").say("Hello.")
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 1, PATIENCE_S)
    assert list(replica.simulator.connections) == ["conn_1"], "the idle one was forgotten meanwhile"
    replica.simulator.open_gate("go")
    await turn
    assert talk.text == "At last."


async def test_original_fault_unbounded_registry(start):
    """Over the bound the one that was used longest ago is forgotten, and its line closed."""
    replica = await start({"MAX_SESSIONS": "3"})
    talks = [Talk(replica, f"s{number}") for number in range(4)]
    for talk in talks[:3]:
        await talk.say("Hello.")
    await talks[0].say("And again.")
    await talks[3].say("Hello.")
    page = await replica.sessions.ListSessions(spb.ListSessionsRequest())
    assert [session.session_id for session in page.sessions] == ["s0", "s2", "s3"]
    await replica.simulator.wait_for(lambda: replica.simulator.stats.open_connections == 3, PATIENCE_S)
    assert context(await talks[1].say("And again.")) == (False, "first_turn")


async def test_where_all_sessions_are_busy_a_new_one_is_refused_by_name(start):
    replica = await start({"MAX_SESSIONS": "1"})
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(Talk(replica).say("Wait for it."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 1, PATIENCE_S)
    failure = await failed(Talk(replica, "other").say("Hello."))
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "TRUNKLINE_MAX_SESSIONS" in failure.message
    assert failure.sent == "false"
    replica.simulator.open_gate("go")
    await turn
