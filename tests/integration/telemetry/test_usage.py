"""Tokens of warm-ups and of turns that were cut off: counted where the upstream reported them."""

import asyncio

import pytest

from service.gen.trunkline.v1.session_pb2 import WarmSessionRequest
from service.telemetry import names
from simulator.scripts import Drop, Fail, Gate, Say, Script, Start
from tests.integration.service.talk import failed
from tests.stack import MODEL, request
from tests.watching import PATIENCE_S

TOOLS = "Use the tools. " * 100


def counted(seen, kind="input"):
    return seen.count(names.TOKENS, type=kind, model=MODEL)


async def test_a_warm_up_of_its_own(service, seen):
    wanted = WarmSessionRequest(session_id="s1", model=MODEL, instructions=TOOLS, prime=True)
    await service.sessions.WarmSession(wanted)
    assert counted(seen) > 300
    assert seen.count(names.TOKEN_USAGE, gen_ai__operation__name="warm_up") == 2
    assert seen.points(names.TURNS) == {}
    assert not [span for span in seen.spans if span.name.startswith("chat")]


async def test_a_warm_up_in_a_turn(service, seen):
    done = await service.done(request("Hello.", instructions=TOOLS, options={"warm_up": True}))
    await seen.until(lambda: seen.count(names.TURNS))
    assert counted(seen) - done.usage.input_tokens > 300
    assert counted(seen, "output") == done.usage.output_tokens


async def test_a_connection_without_a_prime_uses_nothing(service, seen):
    await service.sessions.WarmSession(WarmSessionRequest(session_id="s1", model=MODEL))
    assert seen.points(names.TOKENS) == {}


async def test_a_turn_whose_caller_left_before_the_upstream_reported(service, seen):
    """The connection is closed at once, and with it goes what the upstream would have said at the end."""
    service.simulator.enqueue(Script(Start(), Say("Half", closed=False), Gate("never")))
    call = service.completions.StreamCompletion(request("Hello."))
    async for event in call:
        if event.HasField("text_delta"):
            break
    call.cancel()
    await seen.until(lambda: seen.count(names.UNREPORTED, ending="CANCELLED"))
    assert seen.points(names.TOKENS) == {}


async def test_a_turn_that_failed_with_a_report(service, seen):
    service.simulator.enqueue(Script(Start(), Say("Half"), Fail(usage=True)))
    failure = await failed(service.done(request("Hello.")))
    assert failure.reason == "UPSTREAM_ERROR"
    await seen.until(lambda: seen.count(names.TURNS, ending="UPSTREAM_ERROR", transport="websocket"))
    assert seen.count(names.TOKENS, type="input", model="other") > 0
    assert seen.points(names.UNREPORTED) == {}


@pytest.mark.parametrize("lost", [1, 2])
async def test_each_request_that_was_lost_is_counted_as_unreported(service, seen, lost):
    service.simulator.enqueue(*[Script(Start(), Drop())] * lost)
    async with asyncio.timeout(PATIENCE_S):
        if lost == 1:
            await service.done(request("Hello."))
        else:
            await failed(service.done(request("Hello.")))
    await seen.until(lambda: seen.count(names.UNREPORTED, ending="CONNECTION_LOST") == lost)
