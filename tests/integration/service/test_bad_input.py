"""Bad input is refused by the name of its field, sends nothing, and leaves the service as it was."""

import json
from typing import Any

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from tests.integration.service.talk import LOOKUP, Talk, context, failed, failed_stream
from tests.stack import request

DEEP = '{"a":' * 101 + "1" + "}" * 101
TOO_BIG = "x" * 40_000


def said(role: Any, *parts: m.Part) -> m.Message:
    return m.Message(role=role, parts=parts)


def text(words: str) -> m.Part:
    return m.Part(text=m.TextPart(text=words))


def result(call_id: str) -> m.Part:
    return m.Part(tool_result=m.ToolResultPart(call_id=call_id, parts=[text("42")]))


BAD = {
    "no messages": (request(), "messages"),
    "no model": (request("Hello.", model=""), "model"),
    "no session": (request("Hello.", session=""), "session_id"),
    "a session with a space": (request("Hello.", session="a b"), "session_id"),
    "a session too long": (request("Hello.", session="x" * 129), "session_id"),
    "no role": (request(said(m.ROLE_UNSPECIFIED, text("Hello."))), "messages[0].role"),
    "an unknown role": (request(said(99, text("Hello."))), "messages[0].role"),
    "an empty part": (request("Hello.", said(m.ROLE_USER, m.Part())), "messages[1].parts[0]"),
    "no parts": (request(said(m.ROLE_USER)), "messages[0].parts"),
    "a call by the user": (
        request(said(m.ROLE_USER, m.Part(tool_call=m.ToolCallPart(call_id="c", name="n")))),
        "messages[0].parts[0].tool_call",
    ),
    "an image without source": (
        request(said(m.ROLE_USER, m.Part(image=m.ImagePart()))),
        "messages[0].parts[0].image.source",
    ),
    "a result without call_id": (
        request("Hello.", said(m.ROLE_TOOL, result(""))),
        "messages[1].parts[0].tool_result.call_id",
    ),
    "a result without its call": (
        request("Hello.", said(m.ROLE_TOOL, result("call_1"))),
        "messages[1].parts[0].tool_result.call_id",
    ),
    "a schema that is no JSON": (
        request("Hello.", tools=[LOOKUP, m.Tool(name="t", parameters="{")]),
        "tools[1].parameters",
    ),
    "a schema that is no object": (
        request("Hello.", tools=[m.Tool(name="t", parameters="[]")]),
        "tools[0].parameters",
    ),
    "a schema too deep": (
        request("Hello.", tools=[m.Tool(name="t", parameters=DEEP)]),
        "tools[0].parameters",
    ),
    "a schema with NaN": (
        request("Hello.", tools=[m.Tool(name="t", parameters='{"maximum": NaN}')]),
        "tools[0].parameters",
    ),
    "extra that is no JSON": (
        request("Hello.", options={"extra_body_json": "not json"}),
        "options.extra_body_json",
    ),
    "extra too deep": (request("Hello.", options={"extra_body_json": DEEP}), "options.extra_body_json"),
    "extra that the service owns": (
        request("Hello.", options={"extra_body_json": '{"previous_response_id": "resp_1"}'}),
        "options.extra_body_json",
    ),
    "extra with an option's name": (
        request("Hello.", options={"extra_body_json": '{"temperature": 1}'}),
        "options.extra_body_json",
    ),
    "an answer's schema that is no JSON": (
        request("Hello.", options={"text": {"json_schema": {"name": "n", "schema": "nope"}}}),
        "options.text.json_schema.schema",
    ),
    "a temperature that is no number": (
        request("Hello.", options={"temperature": float("nan")}),
        "options.temperature",
    ),
    "an infinite temperature": (
        request("Hello.", options={"temperature": float("inf")}),
        "options.temperature",
    ),
    "too big": (request(TOO_BIG), "request"),
}


@pytest.fixture
async def replica(start):
    return await start({"MAX_REQUEST_BYTES": "20000"})


@pytest.mark.parametrize("what", BAD)
async def test_it_is_refused_by_the_name_of_its_field(replica, what):
    wanted, field = BAD[what]
    events, failure = await failed_stream(replica, wanted)
    assert events == []
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.fields == [field]
    assert (failure.reason, failure.sent) == ("INVALID_REQUEST", "false")
    assert replica.simulator.stats.handshakes == replica.simulator.stats.http_requests == 0
    assert await replica.done(request("Hello."))


async def test_complete_refuses_the_same(replica):
    for wanted, field in (BAD["no model"], BAD["a schema too deep"], BAD["too big"]):
        failure = await failed(
            replica.completions.Complete(pb.CompleteRequest.FromString(wanted.SerializeToString()))
        )
        assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
        assert failure.fields == [field]


async def test_a_hundred_levels_are_fine(replica):
    schema = '{"properties":{"a":' * 49 + "{}" + "}}" * 49
    assert json.loads(schema)
    assert await replica.done(request("Hello.", tools=[m.Tool(name="t", parameters=schema)]))


async def test_a_bad_turn_in_the_middle_of_a_conversation_leaves_its_chain_alone(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    for wanted, _ in (BAD["no model"], BAD["extra too deep"], BAD["a result without its call"]):
        await failed(replica.turn(wanted))
    assert context(await talk.say("And again.")) == (True, "continued")


async def test_what_only_the_upstream_can_judge_is_reported_with_its_words(replica):
    talk = Talk(replica)
    await talk.say("Hello.")
    failure = await failed(
        replica.turn(request(*talk.messages, "And?", options={"reasoning": {"effort": "enormous"}}))
    )
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (failure.reason, failure.sent) == ("INVALID_REQUEST", "true")
    assert "enormous" in failure.message
    assert context(await talk.say("And again."))[1] == "turn_not_completed"
