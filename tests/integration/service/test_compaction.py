"""A conversation is shortened by the upstream, and goes on with what it answered, unchanged."""

import asyncio
import json
from functools import partial
from hashlib import sha256
from typing import Any

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from service.telemetry import names
from simulator.scripts.faults import Drop, End, Garbage, Hang, Page
from simulator.scripts.steps import Fail, Gate, Script
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, Talk, context, failed, until
from tests.stack import MODEL, Stack, request, user
from tests.watching import watching

COMPACTION = m.Part(
    upstream_item=m.UpstreamItemPart(type="compaction", json='{"type":"compaction","encrypted_content":"s"}')
)


def asked(*messages: m.Message | str, session: str = "s1", **fields: Any) -> pb.CompactRequest:
    said = [user(message) if isinstance(message, str) else message for message in messages]
    return pb.CompactRequest(session_id=session, model=fields.pop("model", MODEL), messages=said, **fields)


async def compacted(talk: Talk, **fields: Any) -> pb.CompactResponse:
    """The conversation, compacted in place."""
    answer: pb.CompactResponse = await talk.replica.completions.Compact(
        asked(*talk.messages, session=talk.session, **fields)
    )
    talk.messages = list(answer.messages)
    return answer


@pytest.mark.parametrize("options", [SSE, WEBSOCKET], ids=["sse", "websocket"])
@pytest.mark.parametrize("store", [False, True], ids=["not stored", "stored"])
async def test_a_conversation_goes_on_with_what_stands_for_it(replica, options, store):
    talk = Talk(replica, options={**options, "store": store})
    for words in ("One.", "Two.", "Three."):
        await talk.say(words)
    answer = await compacted(talk, store=store, request_id="r-1")
    (asked_for,) = [received for received in replica.simulator.requests if received.compacts]
    assert [item["role"] for item in asked_for.body["input"]] == ["user", "assistant"] * 3
    assert ["id" in item for item in asked_for.body["input"]] == [False, store] * 3
    assert asked_for.body.keys() == {"model", "input", "prompt_cache_key"}
    turn = replica.simulator.requests[0]
    assert asked_for.body["prompt_cache_key"] == turn.body["prompt_cache_key"], "one cache for both"
    kinds = [part.WhichOneof("part") for message in answer.messages for part in message.parts]
    assert kinds == ["text", "text", "text", "upstream_item"]
    assert answer.usage.input_tokens > 0
    assert answer.usage.details_json
    assert answer.response_id == asked_for.response_id
    assert (answer.created_at.seconds > 0, answer.provider) == (True, "openai")

    done = await talk.say("Four.")
    assert "previous_response_id" not in talk.received.body
    *window, new = talk.received.body["input"]
    assert [item["type"] for item in window] == ["message", "message", "message", "compaction"]
    assert [item["content"] for item in window[:3]] == [
        [{"type": "input_text", "text": words}] for words in ("One.", "Two.", "Three.")
    ]
    assert [item["status"] for item in window[:3]] == ["completed"] * 3
    assert all(("id" in item) is store for item in window[:3])
    assert new["content"] == [{"type": "input_text", "text": "Four."}]
    assert window[3] == json.loads(answer.messages[3].parts[0].upstream_item.json)
    if options is WEBSOCKET:
        assert context(done) == (False, "history_edited")
        assert context(await talk.say("Five.")) == (True, "continued")


async def test_a_compaction_changes_nothing_of_the_session(talk):
    await talk.say("One.")
    before = list(talk.messages)
    await compacted(talk)
    talk.messages = before
    assert context(await talk.say("Two.")) == (True, "continued")


async def test_what_the_options_say_is_sent(replica):
    await replica.completions.Compact(
        asked("Hello.", instructions="Be brief.", prompt_cache_key="k", service_tier="flex", store=True)
    )
    (received,) = replica.simulator.requests
    assert {key: received.body[key] for key in received.body if key != "input"} == {
        "model": MODEL,
        "instructions": "Be brief.",
        "prompt_cache_key": "k",
        "service_tier": "flex",
    }
    assert received.headers["Accept"] == "application/json"


async def test_a_large_conversation_is_compacted_too(replica):
    words = "x" * 100_000
    image = m.Part(image=m.ImagePart(data=bytes(50_000), mime_type="image/png"))
    messages = [user(words), m.Message(role=m.ROLE_USER, parts=[image])]
    answer = await replica.completions.Compact(asked(*messages))
    assert answer.messages[0].parts[0].text.text == words
    assert answer.messages[1].parts[0].image.url.startswith("data:image/png;base64,AAAA")
    done = await replica.done(request(*answer.messages, "And now?"))
    assert done.message.parts


BAD = {
    "no messages": (asked(), "messages"),
    "no model": (asked("Hello.", model=""), "model"),
    "a model too long": (asked("Hello.", model="m" * 257), "model"),
    "no session": (asked("Hello.", session=""), "session_id"),
    "a request id too long": (asked("Hello.", request_id="x" * 129), "request_id"),
    "a cache key too long": (asked("Hello.", prompt_cache_key="x" * 65), "prompt_cache_key"),
    "a tier too long": (asked("Hello.", service_tier="x" * 129), "service_tier"),
    "an orphan": (
        asked("Hello.", m.Message(role=m.ROLE_TOOL, parts=[m.Part(tool_result={"call_id": "c"})])),
        "messages[1].parts[0].tool_result.call_id",
    ),
    "a part of another role": (
        asked(m.Message(role=m.ROLE_SYSTEM, parts=[COMPACTION])),
        "messages[0].parts[0].upstream_item",
    ),
    "a large one with too many messages": (asked(*["x"] * 10_001), "messages"),
    "a large one with too many parts": (
        asked(m.Message(role=m.ROLE_USER, parts=[COMPACTION] * 20_001)),
        "messages[].parts",
    ),
    "a large one with a request id too long": (asked("x" * 40_000, request_id="x" * 129), "request_id"),
}


@pytest.mark.parametrize(("bad", "field"), BAD.values(), ids=BAD.keys())
async def test_bad_input_is_refused_by_its_field_and_sends_nothing(replica, bad, field):
    failure = await failed(replica.completions.Compact(bad))
    assert (failure.code, failure.reason, failure.sent) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_REQUEST",
        "false",
    )
    assert failure.fields == [field]
    assert replica.simulator.requests == []


async def test_bytes_that_are_no_request_are_refused(replica):
    call = replica.channel.unary_unary("/trunkline.v1.CompletionService/Compact")
    assert (await failed(call(b"\xff\xff\xff"))).reason == "INVALID_REQUEST"
    too_large = asked("x" * (33 * 2**20))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await replica.completions.Compact(too_large)
    assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)


FAILURES = {
    "a limit": (Script(Fail("Slow.", "rate_limit_exceeded", 429)), "RATE_LIMITED", "true"),
    "a bad request": (
        Script(Fail("No.", "invalid_value", 400, "invalid_request_error")),
        "INVALID_REQUEST",
        "true",
    ),
    "a lost id": (Script(Fail("No.", "previous_response_not_found", 404)), "PROTOCOL_ERROR", "true"),
    "our key": (Script(Fail("No.", "invalid_api_key", 401)), "UPSTREAM_AUTH", "true"),
    "too long": (Script(Fail("No.", "context_length_exceeded", 400)), "CONTEXT_LENGTH_EXCEEDED", "true"),
    "too big": (Script(Page(413)), "MESSAGE_TOO_BIG", "true"),
    "an old seal": (Script(Fail("No.", "invalid_encrypted_content", 400)), "INVALID_REQUEST", "true"),
    "a failure": (Script(Fail()), "UPSTREAM_ERROR", "true"),
    "a gateway": (Script(Page(502)), "UPSTREAM_ERROR", "true"),
    "a page": (Script(Page(200)), "PROTOCOL_ERROR", "true"),
    "garbage": (Script(Page(200, '{"output": [', "application/json")), "PROTOCOL_ERROR", "true"),
    "no compaction": (
        Script(Page(200, '{"object":"response.compaction","output":[]}', "application/json")),
        "PROTOCOL_ERROR",
        "true",
    ),
    "an error by 200": (
        Script(Page(200, '{"error":{"code":"server_error","message":"No."}}', "application/json")),
        "UPSTREAM_ERROR",
        "true",
    ),
    "a stream": (Script(Garbage(b"{}"), End()), "PROTOCOL_ERROR", "true"),
    "compressed": (
        Script(Page(200, "{}", "application/json", {"content-encoding": "br"})),
        "PROTOCOL_ERROR",
        "true",
    ),
    "too large": (
        Script(Page(200, '{"x":"' + "x" * (17 * 2**20) + '"}', "application/json")),
        "PROTOCOL_ERROR",
        "true",
    ),
    "no answer": (Script(Drop()), "CONNECTION_LOST", "true"),
    "half an answer": (Script(Garbage(b"{", "raw"), Drop()), "CONNECTION_LOST", "true"),
}


@pytest.mark.parametrize(("script", "reason", "sent"), FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_of_the_upstream_has_its_reason_and_is_not_sent_again(replica, script, reason, sent):
    replica.simulator.enqueue(script, compaction=True)
    failure = await failed(replica.completions.Compact(asked("Hello.", request_id="r-1")))
    assert (failure.reason, failure.sent) == (reason, sent)
    assert failure.info.metadata["request_id"] == "r-1"
    assert len(replica.simulator.requests) == 1
    assert (await replica.completions.Compact(asked("Hello."))).messages


async def test_an_upstream_without_compaction_is_named_so(start):
    replica = await start()
    replica.simulator.settings.merge({"no_compaction": True})
    failure = await failed(replica.completions.Compact(asked("Hello.")))
    assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "UPSTREAM_ERROR")
    assert "the upstream has no compaction" in failure.message
    assert failure.info.metadata["upstream_status"] == "404"


async def test_nothing_was_sent_where_nobody_listens(start):
    replica = await start({"UPSTREAM_URL": "http://127.0.0.1:9/v1"})
    failure = await failed(replica.completions.Compact(asked("Hello.")))
    assert (failure.code, failure.reason, failure.sent) == (
        grpc.StatusCode.UNAVAILABLE,
        "CONNECT_FAILED",
        "false",
    )


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"FIRST_EVENT_LIMIT_S": "3", "FIRST_EVENT_TIMEOUT_S": "3"}, "TRUNKLINE_FIRST_EVENT_LIMIT_S"),
        ({"TURN_TIMEOUT_S": "3"}, "TRUNKLINE_TURN_TIMEOUT_S"),
    ],
)
async def test_a_wait_that_runs_out_is_named(start, settings, named):
    replica = await start(settings)
    replica.simulator.enqueue(Script(Hang()), compaction=True)
    failure = await failed(replica.completions.Compact(asked("Hello.")))
    assert (failure.reason, failure.sent) == ("TIMEOUT", "true")
    assert named in failure.message
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)


async def waiting(replica: Stack) -> Any:
    """A compaction that the upstream does not answer before its gate is opened."""
    replica.simulator.enqueue(Script(Gate("open")), compaction=True)
    call = replica.completions.Compact(asked("Hello."))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight, PATIENCE_S)
    return call


async def test_cancel_closes_the_call_to_the_upstream(replica):
    call = await waiting(replica)
    call.cancel()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)


async def test_it_takes_the_place_of_a_turn(start):
    replica = await start({"MAX_TURNS": "1", "QUEUE_SIZE": "0"})
    call = await waiting(replica)
    assert replica.manager.counts().turns == 1
    failure = await failed(replica.turn(request("Hello.")))
    assert failure.reason == "OVERLOADED"
    assert (await failed(replica.completions.Compact(asked("Hello.")))).reason == "OVERLOADED"
    replica.simulator.open_gate("open")
    assert (await call).messages


async def test_a_drain_lets_it_finish_within_the_grace(replica):
    call = await waiting(replica)
    draining = asyncio.create_task(replica.manager.drain(PATIENCE_S))
    refused = await failed(replica.completions.Compact(asked("Hello.")))
    assert (refused.reason, refused.sent) == ("SHUTTING_DOWN", "false")
    replica.simulator.open_gate("open")
    assert (await call).messages
    await draining


async def test_a_drain_interrupts_it_after_the_grace(replica):
    call = await waiting(replica)
    await replica.manager.drain(0.01)
    failure = await failed(call)
    assert (failure.code, failure.reason, failure.sent) == (grpc.StatusCode.ABORTED, "INTERRUPTED", "true")


TENANTS = f"""
[tenants.modest]
token_sha256 = ["{sha256(b"t0k3n-modest").hexdigest()}"]
models = ["simulated-*"]
max_turns = 1
"""


async def test_it_is_counted_and_bounded_by_tenant_and_paid_by_its_key(start, tmp_path):
    (tmp_path / "tenants.toml").write_text(TENANTS)
    with watching() as seen:
        replica = await start(
            {"AUTH_FILE": str(tmp_path / "tenants.toml"), "CALLER_KEYS": "1"}, telemetry=seen.telemetry
        )
        metadata = (("authorization", "Bearer t0k3n-modest"), ("x-upstream-key", "sk-1"))
        compact = partial(replica.completions.Compact, metadata=metadata)
        assert (await failed(replica.completions.Compact(asked("Hello.")))).reason == "UNAUTHENTICATED"
        assert (await failed(compact(asked("Hello.", model="other")))).reason == "PERMISSION_DENIED"
        replica.simulator.enqueue(Script(Gate("open")), compaction=True)
        call = compact(asked("Hello."))
        await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight, PATIENCE_S)
        assert (await failed(compact(asked("Hello.")))).reason == "OVERLOADED"
        replica.simulator.open_gate("open")
        answer = await call
        (received,) = replica.simulator.requests
        assert received.headers["Authorization"] == "Bearer sk-1"
        await until(lambda: seen.named(f"compact {MODEL}"))
        labels = {"tenant": "modest", "model": MODEL, "type": "input"}
        assert seen.count(names.TOKENS, **labels) == answer.usage.input_tokens
        span = seen.one(f"compact {MODEL}")
        assert received.headers["traceparent"].split("-")[2] == f"{span.context.span_id:016x}"
