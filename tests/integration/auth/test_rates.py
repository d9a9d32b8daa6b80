"""A tenant's requests and tokens: over a limit nothing is sent, and the refusal says whose limit it was."""

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1.session_pb2 import WarmSessionRequest
from service.telemetry import names
from simulator import Settings
from simulator.scripts import Fail, Gate, Say, Script, Start
from tests.integration.auth.conftest import digest
from tests.integration.auth.doors import DOORS, TURNS, Knock, bearer, outcome, outcomes
from tests.integration.service.talk import PATIENCE_S, failed
from tests.stack import MODEL, request
from tests.watching import watching

ALPHA, BETA = bearer("alpha"), bearer("beta")


def tenants(*alpha):
    """An auth file with these limits of alpha, and none of beta."""
    lines = ["[tenants.alpha]", f'token_sha256 = ["{digest("alpha")}"]', *alpha]
    return "\n".join([*lines, "[tenants.beta]", f'token_sha256 = ["{digest("beta")}"]', ""])


@pytest.fixture
def limited(start, tmp_path):
    """Starts a service in which alpha has these limits."""
    path = tmp_path / "tenants.toml"

    async def started(*alpha, **more):
        path.write_text(tenants(*alpha))
        return await start({"AUTH_FILE": str(path)}, **more)

    return started


async def refusal(call):
    """The limit that refused, and after how many seconds the caller may come again."""
    failure = await failed(call)
    assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert (failure.sent, failure.info.metadata["events_emitted"]) == ("false", "0")
    return failure.info.metadata["limit"], failure.retry_s


def hello(**more):
    return request("Hello.", **more)


async def test_a_request_more_than_a_minute_allows_is_refused_at_each_door(start, auth_file):
    replica = await start({"AUTH_FILE": str(auth_file)})
    caller = Knock(replica.channel, bearer("t0k3n-paced"))
    opened = await outcomes(caller)
    assert [door for door in DOORS if opened[door] != "OK"] == []
    before = (replica.simulator.stats.requests_total, replica.simulator.stats.handshakes)
    refused = await outcomes(caller)
    assert {door for door in DOORS if refused[door] == "RESOURCE_EXHAUSTED"} == set(TURNS)
    assert (replica.simulator.stats.requests_total, replica.simulator.stats.handshakes) == before
    assert (await outcome(Knock(replica.channel, bearer("t0k3n-beta")).stream))[0] == "OK"


async def test_the_refusal_says_which_limit_and_when(limited):
    replica = await limited("requests_per_minute = 1")
    await replica.done(hello(), metadata=ALPHA)
    limit, wait_s = await refusal(replica.done(hello(), metadata=ALPHA))
    assert limit == "requests_per_minute"
    assert 50 < wait_s <= 60
    await replica.done(hello(), metadata=BETA)


async def test_it_goes_again_when_the_time_has_come(limited):
    replica = await limited("tokens_per_minute = 60")
    now = [1_000.0]
    replica.manager._tenant_limits._rates._clock = lambda: now[0]
    used = (await replica.done(hello(), metadata=ALPHA)).usage.total_tokens
    more = (await replica.done(hello(), metadata=ALPHA)).usage.total_tokens
    limit, wait_s = await refusal(replica.done(hello(), metadata=ALPHA))
    assert (limit, wait_s) == ("tokens_per_minute", used + more - 59)
    now[0] += wait_s - 0.002
    await refusal(replica.done(hello(), metadata=ALPHA))
    now[0] += 0.002
    await replica.done(hello(), metadata=ALPHA)


async def test_the_upstream_s_limit_is_not_taken_for_the_tenant_s(limited):
    replica = await limited("requests_per_minute = 100")
    replica.simulator.enqueue(Script(Fail("Slower.", "rate_limit_exceeded", 429)))
    failure = await failed(replica.done(hello(), metadata=ALPHA))
    assert (failure.reason, failure.sent, "limit" in failure.info.metadata) == ("RATE_LIMITED", "true", False)


async def test_tokens_count_when_the_upstream_reports_them(limited):
    replica = await limited("tokens_per_day = 2")
    done = await replica.done(hello(), metadata=ALPHA)
    assert done.usage.total_tokens > 2
    limit, wait_s = await refusal(replica.done(hello(), metadata=ALPHA))
    assert limit == "tokens_per_day"
    assert wait_s > 40_000
    await replica.done(hello(), metadata=BETA)


async def compact(replica):
    await Knock(replica.channel, ALPHA).compact()


async def fail(replica):
    replica.simulator.enqueue(Script(Start(), Say("Half"), Fail(usage=True)))
    assert (await failed(replica.done(hello(), metadata=ALPHA))).reason == "UPSTREAM_ERROR"


@pytest.mark.parametrize("uses", [compact, fail], ids=["a compaction", "a turn that failed"])
async def test_tokens_count_of(limited, uses):
    replica = await limited("tokens_per_minute = 1")
    await uses(replica)
    assert (await refusal(replica.done(hello(), metadata=ALPHA)))[0] == "tokens_per_minute"


@pytest.mark.parametrize("prime", [True, False], ids=["of its own", "in a turn"])
async def test_tokens_count_of_a_warm_up(limited, prime):
    with watching() as seen:
        replica = await limited("tokens_per_day = 1000000", telemetry=seen.telemetry)
        tools = "Use the tools. " * 100
        if prime:
            wanted = WarmSessionRequest(session_id="s1", model=MODEL, instructions=tools, prime=True)
            await replica.sessions.WarmSession(wanted, metadata=ALPHA)
            reported = 0
        else:
            done = await replica.done(hello(instructions=tools, options={"warm_up": True}), metadata=ALPHA)
            reported = done.usage.total_tokens
        left = replica.manager.counts().left["alpha", "tokens_per_day"]
    assert not replica.simulator.requests[0].generate
    assert 1_000_000 - left - reported > 300


async def test_a_turn_whose_tokens_nobody_knows_takes_none(limited):
    replica = await limited("tokens_per_minute = 1")
    replica.simulator.enqueue(Script(Start(), Say("Half", closed=False), Gate("never")))
    call = replica.completions.StreamCompletion(hello(), metadata=ALPHA)
    async for event in call:
        if event.HasField("text_delta"):
            break
    call.cancel()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight == 0, PATIENCE_S)
    await replica.done(hello(), metadata=ALPHA)


async def test_a_turn_that_could_not_be_sent_is_no_request(limited):
    replica = await limited("requests_per_minute = 1", upstream=Settings(refuse_websocket=503))
    forced = hello(options={"transport": pb.TRANSPORT_WEBSOCKET})
    for _ in range(3):
        failure = await failed(replica.done(forced, metadata=ALPHA))
        assert failure.reason == "CONNECT_FAILED"
    await replica.done(hello(), metadata=ALPHA)


async def test_without_callers_all_share_the_limits_of_all(start):
    replica = await start({"REQUESTS_PER_MINUTE": "1"})
    await replica.done(hello())
    assert (await refusal(replica.done(hello())))[0] == "requests_per_minute"


async def test_a_file_that_is_read_again_leaves_what_was_used(limited, tmp_path):
    replica = await limited("requests_per_minute = 2")
    for _ in range(2):
        await replica.done(hello(), metadata=ALPHA)
    await refusal(replica.done(hello(), metadata=ALPHA))
    (tmp_path / "tenants.toml").write_text(tenants("requests_per_minute = 3"))
    await replica.done(hello(), metadata=ALPHA)
    _, wait_s = await refusal(replica.done(hello(), metadata=ALPHA))
    assert 10 < wait_s <= 20


async def test_refusals_are_counted_by_limit_and_end_as_turns(limited):
    with watching() as seen:
        replica = await limited("requests_per_minute = 1", telemetry=seen.telemetry)
        await replica.done(hello(), metadata=ALPHA)
        await refusal(replica.done(hello(), metadata=ALPHA))
        await seen.until(lambda: seen.count(names.TURNS, ending="RATE_LIMITED", transport="none"))
        assert seen.count(names.REFUSED, limit="requests_per_minute") == 1
