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


async def get(house, session="s1", **call):
    return (await house.sessions.GetSession(spb.GetSessionRequest(session_id=session), **call)).session


async def release(house, session="s1", **call):
    await house.sessions.ReleaseSession(spb.ReleaseSessionRequest(session_id=session), **call)


async def test_a_session_tells_what_it_did(house):
    talk = Talk(house)
    reports = [(await talk.say(text)).report for text in ("One.", "Two.", "Three.")]
    session = await get(house)
    assert (session.session_id, session.live, session.line_state) == ("s1", True, spb.LINE_STATE_IDLE)
    assert (session.turns, session.incremental_turns) == (3, 2)
    assert session.bytes_saved == sum(report.bytes_saved for report in reports) > 0
    assert 0 < session.created_at.ToNanoseconds() <= session.last_used_at.ToNanoseconds()


async def test_a_session_by_sse_has_no_line(house):
    await Talk(house).say("Hello.", options=SSE)
    session = await get(house)
    assert (session.live, session.line_state, session.turns) == (False, spb.LINE_STATE_NONE, 1)


async def test_a_session_in_use_says_so(house):
    house.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(Talk(house).say("Wait for it."))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
    assert (await get(house)).line_state == spb.LINE_STATE_BUSY
    house.simulator.open_gate("go")
    await turn
    assert (await get(house)).line_state == spb.LINE_STATE_IDLE


async def test_an_unknown_session_is_not_found(house):
    failure = await failed(get(house, "nobody"))
    assert failure.code is grpc.StatusCode.NOT_FOUND
    assert failure.reason == "SESSION_NOT_FOUND"


async def test_all_sessions_come_page_by_page_and_each_once(start):
    house = await start({"REPLICA": "here"})
    names = [f"s{number:02d}" for number in range(25)]
    await asyncio.gather(*(Talk(house, name).say("Hello.", options=SSE) for name in names))
    seen, token, pages = [], "", 0
    while token or not pages:
        page = await house.sessions.ListSessions(spb.ListSessionsRequest(page_size=10, page_token=token))
        assert page.replica == "here"
        seen += [session.session_id for session in page.sessions]
        token, pages = page.next_page_token, pages + 1
    assert (seen, pages) == (names, 3)


async def test_a_page_holds_as_many_as_asked_and_the_last_has_no_token(house):
    for name in ("a", "b"):
        await Talk(house, name).say("Hello.", options=SSE)
    page = await house.sessions.ListSessions(spb.ListSessionsRequest(page_size=2))
    assert ([session.session_id for session in page.sessions], page.next_page_token) == (["a", "b"], "")


async def test_a_page_token_of_somebody_else_is_refused(house):
    failure = await failed(house.sessions.ListSessions(spb.ListSessionsRequest(page_token="?")))
    assert (failure.code, failure.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["page_token"],
    )


async def test_a_released_session_is_gone_and_so_is_its_line(house):
    talk = Talk(house)
    await talk.say("Hello.")
    await release(house)
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 0, PATIENCE_S)
    await failed(get(house))
    assert context(await talk.say("And again.")) == (False, "first_turn")
    assert (await get(house)).turns == 1


async def test_releasing_what_is_unknown_is_nothing(house):
    await release(house, "nobody")
    await release(house, "nobody")


async def test_releasing_beside_a_running_turn_lets_it_finish(house):
    talk = Talk(house)
    house.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(talk.say("Wait for it."))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
    await release(house, timeout=PATIENCE_S)
    assert house.simulator.stats.open_connections == 1
    house.simulator.open_gate("go")
    await turn
    assert talk.text == "At last."
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 0, PATIENCE_S)
    assert context(await talk.say("And again.")) == (False, "first_turn")


async def test_a_session_that_is_used_again_beside_its_released_self_is_a_new_one(house):
    """The old turn runs on, over its old line; the new one neither waits for it nor is its fork."""
    house.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    old = asyncio.create_task(Talk(house).say("Wait for it."))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
    await release(house)
    talk = Talk(house)
    assert context(await talk.say("Hello.")) == (False, "first_turn")
    house.simulator.open_gate("go")
    await old
    assert context(await talk.say("And again.")) == (True, "continued")
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 1, PATIENCE_S)


async def test_sessions_belong_to_who_opened_them(start):
    """The same id of two callers is two sessions, and neither can see or end the other's."""
    house = await start({"AUTH_TOKENS": "red=one,blue=two"})
    one, two = ({"metadata": (("authorization", f"Bearer {token}"),)} for token in ("red", "blue"))
    first = await house.done(request("Hello."), **one)
    failure = await failed(get(house, **two))
    assert failure.code is grpc.StatusCode.NOT_FOUND
    assert not (await house.sessions.ListSessions(spb.ListSessionsRequest(), **two)).sessions
    await release(house, **two)
    other = await house.done(request("Hello.", first.message, "And again."), **two)
    assert context(other) == (False, "first_turn")
    mine = await house.done(request("Hello.", first.message, "And again."), **one)
    assert context(mine) == (True, "continued")


async def test_original_fault_no_ttl(start):
    """Unused: forgotten, and its line closed."""
    house = await start({"SESSION_TTL_S": "0.1"})
    talk = Talk(house)
    await talk.say("Hello.")
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 0, PATIENCE_S)
    await failed(get(house))
    assert context(await talk.say("And again.")) == (False, "first_turn")


@pytest.mark.parametrize("step", [3600.0, -86_400.0])
async def test_a_wall_clock_that_steps_forgets_no_session(start, monkeypatch, step):
    monkeypatch.setattr("service.sessions.manager.REAPER_PERIOD_S", 0.005)
    house = await start()
    looks = []
    expire = house.manager._registry.expire

    def looked(now):
        looks.append(now)
        return expire(now)

    monkeypatch.setattr(house.manager._registry, "expire", looked)
    talk = Talk(house)
    await talk.say("Hello.")
    house.manager._wall = lambda: time.time() + step
    await talk.say("And again.")
    before = len(looks)
    await until(lambda: len(looks) > before + 2)
    assert context(await talk.say("And now?")) == (True, "continued")
    shown = (await get(house)).last_used_at.seconds
    assert abs(shown - time.time() - step) < PATIENCE_S, "what is shown is the wall clock's"


async def test_a_session_is_not_forgotten_in_the_middle_of_a_turn(start):
    house = await start({"SESSION_TTL_S": "0.1"})
    talk = Talk(house)
    house.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(talk.say("Wait for it."))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
    await Talk(house, "other").say("Hello.")
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 1, PATIENCE_S)
    assert list(house.simulator.connections) == ["conn_1"], "the idle one was forgotten meanwhile"
    house.simulator.open_gate("go")
    await turn
    assert talk.text == "At last."


async def test_original_fault_unbounded_registry(start):
    """Over the bound the one that was used longest ago is forgotten, and its line closed."""
    house = await start({"MAX_SESSIONS": "3"})
    talks = [Talk(house, f"s{number}") for number in range(4)]
    for talk in talks[:3]:
        await talk.say("Hello.")
    await talks[0].say("And again.")
    await talks[3].say("Hello.")
    page = await house.sessions.ListSessions(spb.ListSessionsRequest())
    assert [session.session_id for session in page.sessions] == ["s0", "s2", "s3"]
    await house.simulator.wait_for(lambda: house.simulator.stats.open_connections == 3, PATIENCE_S)
    assert context(await talks[1].say("And again.")) == (False, "first_turn")


async def test_where_all_sessions_are_busy_a_new_one_is_refused_by_name(start):
    house = await start({"MAX_SESSIONS": "1"})
    house.simulator.enqueue(Script(Start(), Gate("go"), Say("At last.")))
    turn = asyncio.create_task(Talk(house).say("Wait for it."))
    await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 1, PATIENCE_S)
    failure = await failed(Talk(house, "other").say("Hello."))
    assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "TRUNKLINE_MAX_SESSIONS" in failure.message
    assert failure.sent == "false"
    house.simulator.open_gate("go")
    await turn
