"""Several upstreams: who serves what, and what becomes of it when the file changes."""

import asyncio

import grpc
import pytest

from service import reload
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import session_pb2
from simulator.scripts import Gate, Say, Script, Start
from tests.integration.service.talk import PATIENCE_S, Talk, context, failed, until
from tests.integration.service.two import upstream
from tests.stack import request

ONLY_B = '[[routes]]\nmodels = ["only-b"]\nupstreams = ["b"]\n'


async def test_a_model_goes_to_who_serves_it_by_the_name_that_it_has_there(two):
    pair = await two(a='models = ["m-*"]', b='rename = { "vendor/*" = "*", "big" = "deployment-7" }')
    names = {"s1": "m-1", "s2": "vendor/x", "s3": "big"}
    one, other, third = (Talk(pair.replica, session, model=name) for session, name in names.items())
    assert [upstream(await talk.say("Hello.")) for talk in (one, other, third)] == ["a", "b", "b"]
    assert pair.a.requests[-1].body["model"] == "m-1"
    assert [received.body["model"] for received in pair.b.requests] == ["x", "deployment-7"]
    assert context(await third.say("Again.")) == (True, "continued")


async def test_a_rule_sends_a_model_elsewhere(two):
    pair = await two(rest=ONLY_B)
    assert upstream(await Talk(pair.replica, "s1", model="only-b").say("Hello.")) == "b"
    assert upstream(await Talk(pair.replica, "s2").say("Hello.")) == "a"


async def test_a_model_that_nobody_serves_is_refused_by_its_field(two):
    pair = await two(a='models = ["m-1"]', b='models = ["m-2"]')
    failure = await failed(pair.replica.turn(request("Hello.", model="m-3")))
    assert (failure.code, failure.reason, failure.sent, failure.fields) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        "false",
        ["model"],
    )
    assert "m-1" not in failure.message
    assert pair.served() == [0, 0]


async def test_a_session_that_changes_the_upstream_with_its_model_starts_there_in_full(two):
    pair = await two(rest=ONLY_B)
    talk = Talk(pair.replica)
    await talk.say("Hello.")
    assert context(await talk.say("You?", model="only-b"))[0] is False
    assert context(await talk.say("And you?", model="only-b")) == (True, "continued")
    await pair.a.wait_for(lambda: pair.a.stats.open_connections == 0, PATIENCE_S)


async def test_sessions_are_warmed_released_and_compacted_where_their_model_is_served(two):
    pair = await two(rest=ONLY_B)
    sessions = pair.replica.sessions
    for name, model, simulator in (("s1", "", pair.a), ("s2", "only-b", pair.b)):
        await sessions.WarmSession(session_pb2.WarmSessionRequest(session_id=name, model=model))
        assert simulator.stats.open_connections == 1
    listed = await sessions.ListSessions(session_pb2.ListSessionsRequest())
    assert [session.live for session in listed.sessions] == [True, True]
    lines = pair.replica.manager.counts().lines
    assert (lines["a", "idle"], lines["b", "idle"]) == (1, 1)
    await sessions.ReleaseSession(session_pb2.ReleaseSessionRequest(session_id="s2"))
    await pair.b.wait_for(lambda: pair.b.stats.open_connections == 0, PATIENCE_S)
    said = request("Hello.").messages
    compacted = await pair.replica.completions.Compact(
        pb.CompactRequest(session_id="s3", model="only-b", messages=said)
    )
    assert (compacted.provider, pair.b.requests[-1].compacts) == ("b", True)


async def test_a_changed_file_counts_for_the_next_turn_and_moves_what_it_changes_only(two):
    pair = await two(a='models = ["m"]', b='models = ["n", "o"]')
    kept, moved = Talk(pair.replica, "s1", model="m"), Talk(pair.replica, "s2", model="n")
    await kept.say("Hello.")
    await moved.say("Hello.")
    pair.file.write('models = ["m", "n"]', 'models = ["o"]\nconnect_timeout_s = 3')
    reload.read_again()
    assert (upstream(await kept.say("You?")), upstream(await moved.say("You?"))) == ("a", "a")
    assert context(await kept.say("And you?")) == (True, "continued")
    await pair.b.wait_for(lambda: pair.b.stats.open_connections == 0, PATIENCE_S)


@pytest.mark.parametrize("transport", [pb.TRANSPORT_WEBSOCKET, pb.TRANSPORT_SSE])
async def test_a_turn_ends_where_it_runs_though_the_file_changes(two, transport):
    pair = await two(a='models = ["m"]', b='models = ["n"]')
    options = {"transport": transport}
    pair.b.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    turn = asyncio.create_task(pair.replica.done(request("Hello.", model="n", options=options)))
    await until(lambda: pair.b.requests)
    pair.file.write('models = ["m"]', 'models = ["n"]\nidle_timeout_s = 30')
    reload.read_again()
    assert upstream(await Talk(pair.replica, "s2", model="m").say("Hello.")) == "a"
    running = 1 if transport == pb.TRANSPORT_WEBSOCKET else 0
    assert pair.replica.manager.counts().lines["b", "leased"] == running
    pair.b.open_gate("go")
    assert upstream(await turn) == "b"
    await pair.b.wait_for(lambda: pair.b.stats.open_connections == 0, PATIENCE_S)


async def test_a_bad_file_changes_nothing_and_is_reported(two, caplog):
    pair = await two()
    pair.file.write("connect_timeout_s = -1")
    reload.read_again()
    assert upstream(await Talk(pair.replica).say("Hello.")) == "a"
    assert "upstream a: connect_timeout_s must be seconds" in caplog.text
    assert "what it said before still holds" in caplog.text


async def test_a_callers_key_goes_only_where_the_file_says_so(two):
    pair = await two(b="caller_keys = true", CALLER_KEYS="1")
    theirs = (("x-upstream-key", "theirs"),)
    done = await pair.replica.done(request("Hello."), metadata=theirs)
    assert upstream(done) == "b"
    assert pair.b.requests[-1].headers["Authorization"] == "Bearer theirs"
    assert upstream(await pair.replica.done(request("Hello.", session="s2"))) == "a"
