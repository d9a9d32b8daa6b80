"""What is sent again, and what never is."""

import asyncio

import grpc
import pytest
import pytest_asyncio

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator.scripts import Call, Close, Drop, Emit, Fail, Gate, Hang, Say, Script, Start
from tests.integration.faults.cells import SETTINGS, run
from tests.integration.faults.endings import ended, ended_call
from tests.integration.faults.matrix import CELLS
from tests.integration.service.talk import LOOKUP, PATIENCE_S, SSE, WEBSOCKET, Talk, context, route, until
from tests.stack import request, stack, text_of

SAFE = {"REPLAY": "safe-only"}
PROOFS = {
    "websocket_connection_limit_reached",
    "invalid_encrypted_content",
    "thinking_signature_invalid",
    "reasoning-alone",
    "reasoning-gone",
    "reasoning-unknown",
    "payload_too_large",
    "status-413",
    "close-1009",
}
"""By these the upstream says that nothing ran. So it does by losing a chain or refusing its id."""

LOST = Script(Drop())
EXPIRED = Script(Fail("Limit reached.", "websocket_connection_limit_reached", 400), Close(1000))
TOO_BIG = Script(Close(1009))
SEALED = Script(Fail("Cannot be read.", "invalid_encrypted_content", 400))
NOT_FOUND = Script(Fail("Gone.", "previous_response_not_found", 400))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def safe():
    async with stack(SETTINGS | SAFE) as replica:
        yield replica


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if len(cell.routes) > 1 and cell.moment == "created"], ids=str
)
async def test_safe_only_sends_again_what_cannot_have_run(safe, cell):
    found = await run(safe, cell, list(cell.scripts())[:1], **SAFE)
    proven = cell.row.name.startswith(("chain-", "forgotten-")) or cell.row.name in PROOFS
    assert found.routes.split() == cell.routes[: 1 + proven]
    assert (found.failure is None) == proven


@pytest.mark.parametrize(
    ("scripts", "routes"),
    [
        pytest.param([LOST, LOST], "ws sse", id="one loss"),
        pytest.param([EXPIRED, EXPIRED], "ws ws", id="one expiry"),
        pytest.param([SEALED, SEALED], "ws ws", id="one refusal to read"),
        pytest.param([EXPIRED, LOST, LOST], "ws ws sse", id="an expiry and a loss"),
        pytest.param([EXPIRED, SEALED, LOST, LOST], "ws ws ws", id="three attempts at most"),
        pytest.param([TOO_BIG, LOST, LOST], "ws sse sse", id="too big and a loss"),
    ],
)
async def test_each_cause_counts_once(replica, scripts, routes):
    replica.simulator.enqueue(*scripts)
    found = await ended(replica)
    assert found.failure is not None
    assert found.routes == routes


async def test_a_lost_chain_is_resent_in_full_on_the_same_line(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(NOT_FOUND)
    done = await talk.say("And again.")
    asked, again = replica.simulator.requests[-2:]
    assert asked.connection_id == again.connection_id
    assert (asked.previous_response_id is None, again.previous_response_id) == (False, None)
    assert again.new_items == 3
    assert context(done) == (False, "chain_lost")
    assert done.report.attempts == 2


async def test_an_expired_connection_is_replaced_and_the_conversation_goes_in_full(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(EXPIRED)
    done = await talk.say("And again.")
    asked, again = replica.simulator.requests[-2:]
    assert asked.connection_id != again.connection_id
    assert (again.previous_response_id, again.new_items) == (None, 3)
    assert (route(done), context(done)) == (("WEBSOCKET", "preferred"), (False, "new_connection"))


async def test_a_first_turn_that_is_resent_is_still_the_first(replica):
    replica.simulator.enqueue(Script(Start(), Drop()))
    talk = Talk(replica)
    done = await talk.say("Hello.")
    assert (context(done), done.report.attempts) == ((False, "first_turn"), 2)
    assert context(await talk.say("And again.")) == (True, "continued")


async def test_after_a_turn_that_was_lost_twice_the_next_one_knows_why(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(LOST, LOST)
    assert (await ended_call(replica, talk.request())).info.reason == "CONNECTION_LOST"
    replica.pool._breaker._retry_at = 0.0
    assert context(await talk.say("And again.")) == (False, "turn_not_completed")


async def test_reasoning_that_cannot_be_read_is_left_out_of_the_resend(replica):
    talk = Talk(replica)
    await talk.say("sim:reason")
    await talk.say("Hello.", options=SSE)
    replica.simulator.enqueue(SEALED)
    await talk.say("And again.", options=SSE)
    asked, again = ([item["type"] for item in one.body["input"]] for one in replica.simulator.requests[-2:])
    assert "reasoning" in asked
    assert again == [kind for kind in asked if kind != "reasoning"]


async def test_a_replay_after_the_start_starts_no_second_time(start):
    """The caller keeps what it was reported first; the end says what came true."""
    replica = await start({"IDLE_TIMEOUT_S": "1"})
    replica.simulator.enqueue(Script(Start(), Hang()))
    found = await ended(replica)
    assert found.routes == "ws sse"
    assert found.events[0].start.transport == pb.TRANSPORT_WEBSOCKET
    assert route(found.done) == ("SSE", "timeout")
    assert found.done.report.response_id == replica.simulator.requests[-1].response_id


async def test_who_insists_on_a_websocket_never_gets_another(replica):
    replica.simulator.enqueue(*[Script(Close(1009))] * 2)
    found = await ended(replica, options=WEBSOCKET)
    assert (found.info.reason, found.routes) == ("MESSAGE_TOO_BIG", "ws")


@pytest.mark.parametrize("code", [1002, 1003, 1007])
async def test_a_frame_that_the_upstream_takes_for_nonsense_goes_by_sse(replica, code):
    replica.simulator.enqueue(Script(Close(code)))
    found = await ended(replica)
    assert (found.routes, route(found.done)) == ("ws sse", ("SSE", "protocol_error"))


@pytest.mark.parametrize("code", [1002, 1003, 1007])
async def test_a_close_that_another_line_would_not_help_ends_a_forced_turn(replica, code):
    replica.simulator.enqueue(Script(Close(code)))
    found = await ended(replica, options=WEBSOCKET)
    assert (found.routes, found.error.retryable) == ("ws", False)
    assert found.info.metadata["upstream_status"] == str(code)


@pytest.mark.parametrize("options", [{}, WEBSOCKET, SSE], ids=["auto", "forced", "sse"])
async def test_where_nothing_listens_nothing_was_sent(replica, options):
    await replica.simulator.stop()
    found = await ended(replica, options=options)
    assert (found.code, found.info.reason) == (grpc.StatusCode.UNAVAILABLE, "CONNECT_FAILED")


@pytest.mark.parametrize("options", [{}, WEBSOCKET, SSE], ids=["auto", "forced", "sse"])
async def test_a_turn_that_was_sent_once_never_says_that_nothing_was_sent(replica, options):
    """Its attempt is lost, and then nothing listens any more: the loss is what the caller hears."""
    replica.simulator.enqueue(Script(Gate("now"), Drop()))
    turn = asyncio.ensure_future(ended(replica, options=options))
    await replica.simulator.wait_for(lambda: replica.simulator.requests, PATIENCE_S)
    for site in list(replica.simulator._runner.sites):
        await site.stop()
    replica.simulator.open_gate("now")
    found = await turn
    assert (found.code, found.info.reason) == (grpc.StatusCode.ABORTED, "CONNECTION_LOST")


async def test_a_truncated_tool_call_is_no_part_of_what_is_left(replica):
    """Its deltas were seen; but nobody may call a tool with half of its arguments."""
    replica.simulator.enqueue(
        Script(Say("Let me look."), Call("lookup", '{"query": "how lo', closed=False), Drop())
    )
    found = await ended_call(replica, request("Go.", tools=[LOOKUP]))
    assert found.info.reason == "CONNECTION_LOST"
    assert "tool_call_delta" in found.kinds
    assert [part.WhichOneof("part") for part in found.error.partial.parts] == ["text"]


async def test_a_failed_turn_says_what_it_cost(replica):
    replica.simulator.enqueue(Script(Say("Half", closed=False), Fail(shape="response_failed", usage=True)))
    found = await ended(replica)
    assert found.error.usage.input_tokens > 0


async def test_news_of_the_connection_are_no_end_of_the_response(replica):
    """Some servers tell in mid-answer, with an error event, that the line will end soon."""
    soon = {"type": "error", "error": {"code": "connection_expiring", "message": "Five minutes left."}}
    replica.simulator.enqueue(Script(Say("First. "), Emit(soon), Say("Second.")))
    found = await ended(replica)
    assert text_of(found.events) == "First. Second."
    assert found.done.report.attempts == 1


async def test_words_after_an_answer_do_not_cost_the_line(replica):
    """The API says how much is left of a rate limit once an answer is complete."""
    talk = Talk(replica)
    await talk.say("Hello.")
    (connection,) = replica.simulator.connections.values()
    line = replica.manager._registry.find("", "s1").line
    ignored = line._idle_words.ignored
    for _ in range(3):
        ignored.clear()
        await connection.send({"type": "response.rate_limits.updated", "rate_limits": []})
        await until(lambda: ignored.total() == 1)
        assert context(await talk.say("And again.")) == (True, "continued")
    await connection.send({"type": "error", "error": {"code": "server_error"}})
    await until(lambda: not line.open)
    assert context(await talk.say("And again.")) == (False, "new_connection")


async def test_events_of_others_are_not_for_this_caller(replica):
    """On a WebSocket; an HTTP body is one response, whatever it names."""
    found = await ended(replica, "sim:foreign")
    assert text_of(found.events) == "First.Second."


async def test_the_next_turn_after_a_failed_one_is_right(replica):
    """A turn that failed leaves nothing on the line and nothing in the memory."""
    talk = Talk(replica)
    await talk.say("Hello.")
    replica.simulator.enqueue(Script(Say("Half", closed=False), Fail("It broke.")))
    failed = await ended_call(replica, talk.request(model="simulated-1"))
    assert failed.info.reason == "UPSTREAM_ERROR"
    done = await talk.say("And again.")
    assert context(done)[0] is False
    assert talk.received.repeated_items == 0
    assert talk.text.endswith('You said: "And again.".')
