"""A turn goes on to another upstream before content, and its session stays where its conversation is."""

import asyncio

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import session_pb2
from simulator.scripts.steps import Fail, Gate, Say, Script, Start
from tests.integration.service.talk import SSE, WEBSOCKET, Talk, context, failed, failed_stream
from tests.integration.service.two import upstream
from tests.stack import request

NEVER_PAUSED = "cooldown_s = 0"
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FAILED, LIMITED = Script(Fail()), Script(Fail(code="rate_limit_exceeded", status=429, type="requests"))


def reason(done: pb.Done) -> tuple[str, str]:
    return upstream(done), done.report.upstream_reason


def refuse(simulator, status: int | None) -> None:
    """Every handshake and every POST."""
    simulator.settings.refuse_websocket = simulator.settings.refuse_http = status


@pytest.mark.parametrize("options", [{}, SSE, WEBSOCKET])
async def test_the_first_of_the_route_is_preferred(two, options):
    pair = await two()
    assert reason(await Talk(pair.replica, options=options).say("Hello.")) == ("a", "preferred")


@pytest.mark.parametrize("options", [{}, SSE, WEBSOCKET])
async def test_one_that_cannot_be_reached_is_left_and_left_alone(two, options):
    pair = await two()
    await pair.a.stop()
    done = await Talk(pair.replica, options=options).say("Hello.")
    assert reason(done) == ("b", "connect_failed")
    assert (done.report.attempts, pair.served()) == (1, [0, 1])
    assert reason(await Talk(pair.replica, "s2", options=options).say("Hello.")) == ("b", "cooldown")


@pytest.mark.parametrize(
    ("status", "why"), [(401, "upstream_auth"), (429, "rate_limited"), (503, "upstream_error")]
)
async def test_one_that_refuses_a_request_is_left(two, status, why):
    pair = await two()
    refuse(pair.a, status)
    done = await pair.replica.done(request("Hello.", options=SSE))
    assert reason(done) == ("b", why)
    assert (done.report.attempts, done.report.transport_reason) == (2, "requested")


@pytest.mark.parametrize(("script", "why"), [(FAILED, "upstream_error"), (LIMITED, "rate_limited")])
@pytest.mark.parametrize("options", [{}, SSE])
async def test_one_that_fails_before_content_is_left(two, script, why, options):
    pair = await two()
    pair.a.enqueue(script)
    done = await pair.replica.done(request("Hello.", options=options))
    assert reason(done) == ("b", why)
    assert (done.report.attempts, pair.served()) == (2, [1, 1])


async def test_after_content_the_failure_is_the_callers(two):
    pair = await two()
    pair.a.enqueue(Script(Start(), Say("Half of it", closed=False), Fail()))
    events, failure = await failed_stream(pair.replica, request("Hello."))
    assert failure.reason == "UPSTREAM_ERROR"
    assert events[-1].error.report.upstream == "a"
    assert pair.served() == [1, 0]


async def test_what_may_have_run_is_not_sent_elsewhere_where_that_is_forbidden(two):
    pair = await two(REPLAY="safe-only")
    pair.a.enqueue(FAILED)
    assert (await failed(pair.replica.turn(request("Hello.")))).reason == "UPSTREAM_ERROR"
    pair.a.enqueue(LIMITED)
    assert reason(await pair.replica.done(request("Hello.", session="s2"))) == ("b", "rate_limited")


async def test_what_the_file_leaves_out_leads_nowhere(two):
    pair = await two(first='failover = ["upstream_error"]\n')
    pair.a.enqueue(LIMITED)
    failure = await failed(pair.replica.turn(request("Hello.")))
    assert (failure.reason, pair.served()) == ("RATE_LIMITED", [1, 0])


async def test_a_callers_mistake_is_no_reason_to_ask_another(two):
    pair = await two()
    pair.a.enqueue(Script(Fail(code="invalid_value", status=400, type="invalid_request_error")))
    assert (await failed(pair.replica.turn(request("Hello.")))).reason == "INVALID_REQUEST"
    assert pair.served() == [1, 0]


async def test_where_all_fail_the_last_error_is_the_callers(two):
    pair = await two()
    pair.a.enqueue(LIMITED)
    pair.b.enqueue(Script(Fail(code="insufficient_quota", status=429, type="insufficient_quota")))
    assert (await failed(pair.replica.turn(request("Hello.")))).reason == "QUOTA_EXHAUSTED"


async def test_a_turn_that_was_sent_never_ends_as_one_that_was_not(two):
    pair = await two()
    pair.a.enqueue(LIMITED)
    await pair.b.stop()
    failure = await failed(pair.replica.turn(request("Hello.")))
    assert (failure.code, failure.reason, failure.sent) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        "true",
    )


async def test_a_session_stays_where_its_conversation_is_and_returns_with_the_next_chain(two):
    pair = await two(a=NEVER_PAUSED, b=NEVER_PAUSED)
    talk = Talk(pair.replica)
    assert reason(await talk.say("Hello.")) == ("a", "preferred")
    pair.a.enqueue(FAILED)
    done = await talk.say("You?")
    assert (reason(done), context(done)) == (("b", "upstream_error"), (False, "upstream_changed"))
    done = await talk.say("And you?")
    assert (reason(done), context(done)) == (("b", "session"), (True, "continued"))
    pair.b.drop_all()
    await pair.b.wait_for(lambda: pair.b.stats.open_connections == 0)
    done = await talk.say("Still there?")
    assert (upstream(done), context(done)[0]) == ("a", False)


async def test_what_another_upstream_said_goes_without_its_seals_and_ids(two):
    pair = await two(a=NEVER_PAUSED)
    talk = Talk(pair.replica, options={"store": True})
    await talk.say("sim:reason()")
    assert any(part.reasoning.encrypted_content for part in talk.messages[-1].parts)
    refuse(pair.a, 503)
    pair.a.drop_all()
    assert upstream(await talk.say("You?")) == "b"
    first = pair.b.requests[-1].body["input"]
    assert [item.get("type", "message") for item in first] == ["message", "message", "message"]
    assert not any("id" in item for item in first)
    await talk.say("sim:reason()")
    refuse(pair.a, None)
    assert context(await talk.say("And you?")) == (True, "continued")


async def test_a_stored_conversation_finds_its_upstream_by_its_token(two):
    pair = await two(a=NEVER_PAUSED, b=NEVER_PAUSED, CONTINUATION_KEY=KEY)
    talk = Talk(pair.replica, options={"store": True})
    pair.a.enqueue(LIMITED)
    token = (await talk.say("Hello.")).continuation
    await pair.replica.sessions.ReleaseSession(session_pb2.ReleaseSessionRequest(session_id="s1"))
    done = await talk.say("You?", continuation=token)
    assert (reason(done), context(done)) == (("b", "session"), (True, "continued"))
    await pair.replica.sessions.ReleaseSession(session_pb2.ReleaseSessionRequest(session_id="s1"))
    await pair.b.stop()
    token = done.continuation
    done = await talk.say("Still?", continuation=token)
    assert (upstream(done), context(done)) == ("a", (False, "token_refused"))


async def test_one_that_failed_twice_is_left_alone_until_its_pause_is_over(two):
    pair = await two(a="cooldown_s = 600")
    for session in ("s1", "s2"):
        pair.a.enqueue(FAILED)
        assert reason(await Talk(pair.replica, session).say("Hello.")) == ("b", "upstream_error")
    assert reason(await Talk(pair.replica, "s3").say("Hello.")) == ("b", "cooldown")
    first = next(iter(pair.replica.upstreams))
    first._health._retry_at = 0.0
    assert reason(await Talk(pair.replica, "s4").say("Hello.")) == ("a", "preferred")
    assert reason(await Talk(pair.replica, "s5").say("Hello.")) == ("a", "preferred")


async def test_one_caller_at_a_time_finds_out_whether_it_is_back(two):
    pair = await two(a="cooldown_s = 600")
    await pair.replica.done(request("Hello."))
    first = next(iter(pair.replica.upstreams))
    first._doubted = True
    first._health.rest(600.0)
    first._health._retry_at = 0.0
    pair.a.enqueue(Script(Gate("later"), Say("Back.")))
    probing = asyncio.create_task(Talk(pair.replica, "s2").say("Hello."))
    await pair.a.wait_for(lambda: len(pair.a.requests) == 2)
    assert reason(await Talk(pair.replica, "s3").say("Hello.")) == ("b", "cooldown")
    pair.a.open_gate("later")
    assert reason(await probing) == ("a", "preferred")
    assert reason(await Talk(pair.replica, "s4").say("Hello.")) == ("a", "preferred")


async def test_a_fork_and_a_warm_up_go_on_too(two):
    pair = await two()
    await pair.a.stop()
    await pair.replica.sessions.WarmSession(session_pb2.WarmSessionRequest(session_id="s1"))
    assert pair.b.stats.open_connections == 1
    pair.b.enqueue(Script(Start(), Gate("later"), Say("Later.")))
    running = asyncio.create_task(pair.replica.done(request("Hello.")))
    await pair.b.wait_for(lambda: pair.b.requests)
    fork = await pair.replica.done(request("Hello."))
    assert (upstream(fork), fork.report.context_reason) == ("b", "fork")
    pair.b.open_gate("later")
    assert (await running).report.connection_reused


@pytest.mark.parametrize("down", ["refused", "stopped"])
async def test_a_compaction_goes_on_where_nothing_ran(two, down):
    pair = await two()
    if down == "stopped":
        await pair.a.stop()
    else:
        refuse(pair.a, 429)
    wanted = pb.CompactRequest(session_id="s1", model="simulated-1", messages=request("Hello.").messages)
    assert (await pair.replica.completions.Compact(wanted)).provider == "b"


async def test_a_compaction_that_may_have_run_is_not_repeated(two):
    pair = await two()
    refuse(pair.a, 500)
    wanted = pb.CompactRequest(session_id="s1", model="simulated-1", messages=request("Hello.").messages)
    assert (await failed(pair.replica.completions.Compact(wanted))).reason == "UPSTREAM_ERROR"
    assert not pair.b.requests
