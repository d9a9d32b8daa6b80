"""Test that invalid input is reported with the path of its field, and what valid input becomes."""

import math
import time
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.limits import MAX_CACHE_KEY, MAX_OPTION, MAX_REQUEST_ID
from service.domain.messages import (
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    Options,
    ReasoningPart,
    RefusalPart,
    Role,
    TextFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
    Transport,
)
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from service.gen.trunkline.v1 import session_pb2
from service.rpc.convert.messages_out import message_out
from service.rpc.convert.requests import (
    check_linger,
    page_token,
    read_compaction,
    read_completion,
    read_page,
    read_prime,
    read_session_id,
    read_turn_name,
)

MAX_MESSAGES = 100
HELLO = m.Part(text=m.TextPart(text="hello"))
UNKNOWN: Any = 99
USER = m.Message(role=m.ROLE_USER, parts=[HELLO])
CALL = m.Part(tool_call=m.ToolCallPart(call_id="c1", name="look", arguments="{"))
RESULT = m.Part(tool_result=m.ToolResultPart(call_id="c1", parts=[HELLO]))


def user(*parts):
    return m.Message(role=m.ROLE_USER, parts=parts)


def assistant(*parts):
    return m.Message(role=m.ROLE_ASSISTANT, parts=parts)


def tool(*parts):
    return m.Message(role=m.ROLE_TOOL, parts=parts)


def result(*parts):
    return m.Part(tool_result=m.ToolResultPart(call_id="c1", parts=parts))


def choice(**choice):
    return {
        "options": pb.CompletionOptions(tool_choice=pb.ToolChoice(**choice)),
        "tools": [m.Tool(name="look")],
    }


def options(**options):
    return {"options": pb.CompletionOptions(**options)}


def request(**changes):
    return pb.StreamCompletionRequest(**({"session_id": "s", "model": "gpt", "messages": [USER]} | changes))


def read(max_messages=MAX_MESSAGES, **changes):
    return read_completion(request(**changes), max_messages, 0)


def violations_of(call, *arguments, **changes):
    with pytest.raises(TurnError) as caught:
        call(*arguments, **changes)
    assert caught.value.reason is Reason.INVALID_REQUEST
    return caught.value.violations


BAD = {
    "no session id": ({"session_id": ""}, "session_id"),
    "session id with a space": ({"session_id": "a b"}, "session_id"),
    "session id with a line end": ({"session_id": "a\n"}, "session_id"),
    "session id with an umlaut": ({"session_id": "ä"}, "session_id"),
    "session id too long": ({"session_id": "a" * 129}, "session_id"),
    "no model": ({"model": ""}, "model"),
    "request id too long": ({"request_id": "r" * 129}, "request_id"),
    "no messages": ({"messages": []}, "messages"),
    "role not set": ({"messages": [m.Message(parts=[HELLO])]}, "messages[0].role"),
    "role unknown": ({"messages": [USER, m.Message(role=UNKNOWN, parts=[HELLO])]}, "messages[1].role"),
    "message without parts": ({"messages": [user()]}, "messages[0].parts"),
    "part with nothing set": ({"messages": [user(HELLO, m.Part())]}, "messages[0].parts[1]"),
    "text empty": ({"messages": [user(m.Part(text=m.TextPart()))]}, "messages[0].parts[0].text.text"),
    "text with a phase from the user": (
        {"messages": [user(m.Part(text=m.TextPart(text="x", phase="commentary")))]},
        "messages[0].parts[0].text.phase",
    ),
    "text in a tool message": ({"messages": [tool(HELLO)]}, "messages[0].parts[0].text"),
    "image from the model": (
        {"messages": [assistant(m.Part(image=m.ImagePart(url="https://x")))]},
        "messages[0].parts[0].image",
    ),
    "image in a system message": (
        {"messages": [m.Message(role=m.ROLE_SYSTEM, parts=[m.Part(image=m.ImagePart(url="https://x"))])]},
        "messages[0].parts[0].image",
    ),
    "file in a developer message": (
        {"messages": [m.Message(role=m.ROLE_DEVELOPER, parts=[m.Part(file=m.FilePart(file_id="f"))])]},
        "messages[0].parts[0].file",
    ),
    "tool call from the user": ({"messages": [user(CALL)]}, "messages[0].parts[0].tool_call"),
    "tool result from the user": ({"messages": [user(RESULT)]}, "messages[0].parts[0].tool_result"),
    "tool result from the model": ({"messages": [assistant(RESULT)]}, "messages[0].parts[0].tool_result"),
    "reasoning from the user": (
        {"messages": [user(m.Part(reasoning=m.ReasoningPart(id="r")))]},
        "messages[0].parts[0].reasoning",
    ),
    "refusal from the user": (
        {"messages": [user(m.Part(refusal=m.RefusalPart(text="no")))]},
        "messages[0].parts[0].refusal",
    ),
    "image without source": (
        {"messages": [user(m.Part(image=m.ImagePart(mime_type="image/png")))]},
        "messages[0].parts[0].image.source",
    ),
    "image with an empty source": (
        {"messages": [user(m.Part(image=m.ImagePart(url="")))]},
        "messages[0].parts[0].image.url",
    ),
    "image data without its type": (
        {"messages": [user(m.Part(image=m.ImagePart(data=b"x")))]},
        "messages[0].parts[0].image.mime_type",
    ),
    "file without source": (
        {"messages": [user(m.Part(file=m.FilePart()))]},
        "messages[0].parts[0].file.source",
    ),
    "file data without its type": (
        {"messages": [user(m.Part(file=m.FilePart(data=b"x", filename="a.pdf")))]},
        "messages[0].parts[0].file.mime_type",
    ),
    "file data without its name": (
        {"messages": [user(m.Part(file=m.FilePart(data=b"x", mime_type="text/plain")))]},
        "messages[0].parts[0].file.filename",
    ),
    "tool call without id": (
        {"messages": [assistant(m.Part(tool_call=m.ToolCallPart(name="look")))]},
        "messages[0].parts[0].tool_call.call_id",
    ),
    "tool result without id": (
        {"messages": [tool(m.Part(tool_result=m.ToolResultPart()))]},
        "messages[0].parts[0].tool_result.call_id",
    ),
    "tool result without its call": (
        {"messages": [USER, tool(RESULT)]},
        "messages[1].parts[0].tool_result.call_id",
    ),
    "tool result before its call": (
        {"messages": [tool(RESULT), assistant(CALL)]},
        "messages[0].parts[0].tool_result.call_id",
    ),
    "tool call inside a result": (
        {"messages": [assistant(CALL), tool(result(HELLO, CALL))]},
        "messages[1].parts[0].tool_result.parts[1].tool_call",
    ),
    "image without source inside a result": (
        {"messages": [assistant(CALL), tool(result(m.Part(image=m.ImagePart())))]},
        "messages[1].parts[0].tool_result.parts[0].image.source",
    ),
    "nothing set inside a result": (
        {"messages": [assistant(CALL), tool(result(m.Part()))]},
        "messages[1].parts[0].tool_result.parts[0]",
    ),
    "phase inside a result": (
        {
            "messages": [
                assistant(CALL),
                tool(result(m.Part(text=m.TextPart(text="x", phase="final_answer")))),
            ]
        },
        "messages[1].parts[0].tool_result.parts[0].text.phase",
    ),
    "tool without name": ({"tools": [m.Tool()]}, "tools[0].name"),
    "tool name with a space": ({"tools": [m.Tool(name="a b")]}, "tools[0].name"),
    "tool name too long": ({"tools": [m.Tool(name="a" * 65)]}, "tools[0].name"),
    "tool named twice": ({"tools": [m.Tool(name="a"), m.Tool(name="b"), m.Tool(name="a")]}, "tools[2].name"),
    "transport unknown": (options(transport=9), "options.transport"),
    "temperature NaN": (options(temperature=math.nan), "options.temperature"),
    "temperature infinite": (options(temperature=math.inf), "options.temperature"),
    "temperature negative": (options(temperature=-0.1), "options.temperature"),
    "temperature too high": (options(temperature=2.1), "options.temperature"),
    "top_p NaN": (options(top_p=math.nan), "options.top_p"),
    "top_p too high": (options(top_p=1.1), "options.top_p"),
    "max_output_tokens negative": (options(max_output_tokens=-1), "options.max_output_tokens"),
    "metadata of 17 pairs": (options(metadata={str(i): "" for i in range(17)}), "options.metadata"),
    "metadata key too long": (options(metadata={"k" * 65: ""}), f"options.metadata['{'k' * 64}…']"),
    "metadata value too long": (options(metadata={"k": "v" * 513}), "options.metadata['k']"),
    "prompt_cache_key too long": (options(prompt_cache_key="k" * 65), "options.prompt_cache_key"),
    "safety_identifier too long": (options(safety_identifier="k" * 65), "options.safety_identifier"),
    "tool choice empty": (choice(), "options.tool_choice"),
    "tool choice mode not set": (choice(mode=0), "options.tool_choice.mode"),
    "tool choice mode unknown": (choice(mode=9), "options.tool_choice.mode"),
    "forced function not offered": (choice(function="jump"), "options.tool_choice.function"),
    "allowed set without mode": (
        choice(allowed=pb.AllowedTools(functions=["look"])),
        "options.tool_choice.allowed.mode",
    ),
    "allowed set of mode none": (
        choice(allowed=pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_NONE, functions=["look"])),
        "options.tool_choice.allowed.mode",
    ),
    "allowed set empty": (
        choice(allowed=pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_AUTO)),
        "options.tool_choice.allowed.functions",
    ),
    "allowed function not offered": (
        choice(allowed=pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_AUTO, functions=["look", "jump"])),
        "options.tool_choice.allowed.functions[1]",
    ),
    "schema without name": (
        options(text=pb.TextOptions(json_schema=pb.JsonSchemaFormat(schema="{}"))),
        "options.text.json_schema.name",
    ),
    "schema without schema": (
        options(text=pb.TextOptions(json_schema=pb.JsonSchemaFormat(name="n"))),
        "options.text.json_schema.schema",
    ),
}


@pytest.mark.parametrize(("changes", "field"), BAD.values(), ids=BAD.keys())
def test_invalid_input_is_reported_with_its_field(changes, field):
    (violation,) = violations_of(read, **changes)
    assert violation.field == field
    assert violation.description


def test_a_call_is_refused_the_same_way():
    with pytest.raises(TurnError, match=r"^model: is required \(and 1 more\)$"):
        read_completion(pb.CompleteRequest(session_id="s"), MAX_MESSAGES, 0)


def test_an_orphan_is_not_reported_beside_other_violations():
    broken_call = assistant(CALL, m.Part())
    (violation,) = violations_of(read, messages=[broken_call, tool(RESULT)])
    assert violation.field == "messages[0].parts[1]"


def test_the_search_ends_at_twenty():
    found = violations_of(read, messages=[user()] * 50)
    assert [violation.field for violation in found] == [f"messages[{i}].parts" for i in range(20)]


def test_too_many_messages_are_not_read():
    assert read(2, messages=[USER] * 2).messages
    (violation,) = violations_of(read, 2, messages=[user()] * 3)
    assert violation.field == "messages"
    assert "has 3 messages; at most 2 are allowed" in violation.description


def test_a_long_name_is_repeated_only_in_part():
    (violation,) = violations_of(read, **choice(function="x" * 10_000))
    assert len(violation.description) < 150


def test_the_smallest_request():
    assert read() == CompletionRequest("s", "gpt", (Message(Role.USER, (TextPart("hello"),)),))


def test_the_largest_session_id():
    assert read(session_id="aZ09_.:-" * 16).session_id == "aZ09_.:-" * 16


CONVERSATION = (
    Message(Role.SYSTEM, (TextPart("be brief"),)),
    Message(Role.DEVELOPER, (TextPart("be kind"),)),
    Message(
        Role.USER,
        (
            TextPart("look"),
            ImagePart(url="https://x/i.png", detail="low"),
            ImagePart(data=b"\x00\xff", mime_type="image/png"),
            ImagePart(file_id="file_1"),
            FilePart(url="https://x/a.pdf"),
            FilePart(data=b"%PDF", filename="a.pdf", mime_type="application/pdf"),
            FilePart(file_id="file_2"),
        ),
    ),
    Message(
        Role.ASSISTANT,
        (
            ReasoningPart("rs_1", ("first", "then"), "sealed", ("thought",)),
            TextPart("", "commentary"),
            ToolCallPart("c1", "look", "{not json"),
            TextPart("so", "final_answer"),
            RefusalPart("no"),
            RefusalPart(""),
        ),
    ),
    Message(
        Role.TOOL,
        (
            ToolResultPart(
                "c1", (TextPart(""), ImagePart(url="https://x"), FilePart(file_id="f")), is_error=True
            ),
            ToolResultPart("c1", ()),
        ),
    ),
    Message(Role.ASSISTANT, ()),
)


def test_every_part_goes_both_ways():
    assert read(messages=[message_out(message) for message in CONVERSATION]).messages == CONVERSATION


def test_every_option_arrives():
    text = pb.TextOptions(
        json_schema=pb.JsonSchemaFormat(name="answer", schema="{}", strict=True), verbosity="low"
    )
    wished = pb.CompletionOptions(
        transport=pb.TRANSPORT_SSE,
        temperature=0,
        top_p=0,
        max_output_tokens=0,
        parallel_tool_calls=False,
        store=False,
        tool_choice=pb.ToolChoice(mode=pb.TOOL_CHOICE_MODE_REQUIRED),
        reasoning=pb.ReasoningOptions(effort="low", summary="auto"),
        text=text,
        metadata={"b": "2", "a": "1"},
        prompt_cache_key="key",
        service_tier="flex",
        truncation="auto",
        safety_identifier="who",
        warm_up=True,
        extra_body_json="{}",
    )
    assert read(options=wished).options == Options(
        transport=Transport.SSE,
        temperature=0,
        top_p=0,
        max_output_tokens=0,
        parallel_tool_calls=False,
        store=False,
        tool_choice=ToolChoice(mode="required"),
        reasoning_effort="low",
        reasoning_summary="auto",
        text_format=TextFormat("json_schema", "answer", "{}", strict=True),
        verbosity="low",
        metadata=(("a", "1"), ("b", "2")),
        prompt_cache_key="key",
        service_tier="flex",
        truncation="auto",
        safety_identifier="who",
        warm_up=True,
        extra_body_json="{}",
    )


def test_every_option_of_the_contract_is_read_or_named_differently():
    names = {field.name for field in pb.CompletionOptions.DESCRIPTOR.fields}
    assert names - set(Options.__slots__) == {"reasoning", "text", "linger", "heartbeat"}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"turn_key": "a b"}, "turn_key"),
        ({"turn_key": "k" * 129}, "turn_key"),
        ({"turn_key": "k", "after_sequence": -1}, "after_sequence"),
        ({"after_sequence": 1}, "after_sequence"),
        ({"options": pb.CompletionOptions(linger={"seconds": 1})}, "options.linger"),
        ({"turn_key": "k", "options": pb.CompletionOptions(linger={"seconds": -1})}, "options.linger"),
        ({"options": pb.CompletionOptions(heartbeat={"nanos": 999_999_999})}, "options.heartbeat"),
        ({"continuation": "x" * 1025}, "continuation"),
    ],
)
def test_what_belongs_to_a_turn_key_is_checked(given, field):
    with pytest.raises(TurnError) as raised:
        read(**given)
    assert [violation.field for violation in raised.value.violations] == [field]


def test_a_turn_with_a_key_is_read():
    options = pb.CompletionOptions(linger={"seconds": 60, "nanos": 500_000_000}, heartbeat={"seconds": 1})
    made = read(turn_key="k:1", after_sequence=5, continuation="t", options=options)
    assert (made.turn_key, made.after_sequence, made.continuation) == ("k:1", 5, "t")
    assert (made.options.linger_s, made.options.heartbeat_s) == (60.5, 1.0)


@pytest.mark.parametrize(
    ("wished", "chosen"),
    [
        (choice(mode=pb.TOOL_CHOICE_MODE_AUTO), ToolChoice("auto")),
        (choice(mode=pb.TOOL_CHOICE_MODE_NONE), ToolChoice("none")),
        (choice(function="look"), ToolChoice(functions=("look",))),
        (
            choice(allowed=pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_AUTO, functions=["look"])),
            ToolChoice("auto", ("look",)),
        ),
    ],
)
def test_tool_choice(wished, chosen):
    assert read(**wished).options.tool_choice == chosen


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (pb.TextOptions(plain=pb.PlainFormat()), TextFormat("text")),
        (pb.TextOptions(json_object=pb.JsonObjectFormat()), TextFormat("json_object")),
        (pb.TextOptions(), None),
    ],
)
def test_text_format(text, kind):
    assert read(options=pb.CompletionOptions(text=text)).options.text_format == kind


def test_tools():
    tools = [m.Tool(name="look", description="Looks.", parameters="{}", strict=True), m.Tool(name="a-b_C9")]
    assert read(tools=tools).tools == (Tool("look", "Looks.", "{}", strict=True), Tool("a-b_C9"))


def test_a_prime_is_a_turn_without_messages():
    warm = session_pb2.WarmSessionRequest(
        session_id="s", model="gpt", instructions="be brief", tools=[m.Tool(name="look")], prime=True
    )
    assert read_prime(warm, 0) == CompletionRequest("s", "gpt", (), "be brief", (Tool("look"),))
    warm.prime = False
    assert read_prime(warm, 0) is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"session_id": ""}, "session_id"),
        ({"prime": True}, "model"),
        ({"tools": [m.Tool()]}, "tools[0].name"),
    ],
)
def test_bad_warm_up(changes, field):
    (violation,) = violations_of(
        read_prime, session_pb2.WarmSessionRequest(**({"session_id": "s"} | changes)), 0
    )
    assert violation.field == field


def test_session_id():
    assert read_session_id(session_pb2.GetSessionRequest(session_id="s")) == "s"
    (violation,) = violations_of(read_session_id, session_pb2.ReleaseSessionRequest(session_id="/"))
    assert violation.field == "session_id"


def test_a_turn_is_named_by_its_id_or_its_key():
    by_id = session_pb2.CancelTurnRequest(session_id="s", turn_id="t")
    assert read_turn_name(by_id) == ("s", {"turn_id": "t"})
    by_key = session_pb2.CancelTurnRequest(session_id="s", turn_key="k")
    assert read_turn_name(by_key) == ("s", {"turn_key": "k"})


@pytest.mark.parametrize(
    ("named", "fields"),
    [
        ({}, ["session_id", "turn"]),
        ({"session_id": "s"}, ["turn"]),
        ({"session_id": "s", "turn_id": ""}, ["turn_id"]),
        ({"session_id": "/", "turn_key": "a b"}, ["session_id", "turn_key"]),
    ],
)
def test_a_turn_that_has_no_valid_name(named, fields):
    found = violations_of(read_turn_name, session_pb2.CancelTurnRequest(**named))
    assert [violation.field for violation in found] == fields


def test_a_linger_is_bounded_by_the_setting():
    check_linger(10.0, 10.0)
    (violation,) = violations_of(check_linger, 10.5, 10.0)
    assert violation.field == "options.linger"
    assert "TRUNKLINE_MAX_LINGER_S" in violation.description


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (2**31 - 1, 1000)])
def test_page_size(asked, size):
    assert read_page(session_pb2.ListSessionsRequest(page_size=asked)) == ("", size)


def test_page_token_goes_both_ways():
    token = page_token("aZ09_.:-")
    assert read_page(session_pb2.ListSessionsRequest(page_token=token)) == ("aZ09_.:-", 100)


@pytest.mark.parametrize(
    "token", ["!", "A", "AA=A", "é", page_token("a b"), page_token("ä"), page_token("x" * 129)]
)
def test_bad_page_token(token):
    (violation,) = violations_of(read_page, session_pb2.ListSessionsRequest(page_token=token))
    assert violation.field == "page_token"


def test_bad_page_size():
    (violation,) = violations_of(read_page, session_pb2.ListSessionsRequest(page_size=-1))
    assert violation.field == "page_size"


def test_a_long_conversation_is_read_quickly():
    messages = [USER, assistant(CALL), tool(result(m.Part(text=m.TextPart(text="x" * 12_000))))] * 17
    big = request(messages=messages)
    assert big.ByteSize() > 200_000
    best = math.inf
    for _ in range(5):
        begun = time.perf_counter()
        read_completion(big, MAX_MESSAGES, 0)
        best = min(best, time.perf_counter() - begun)
    assert best < 0.02


LONG_NAME = "x" * 257
LONG_ID = "x" * 16_385
DATA = m.ImagePart(data=b"x", mime_type="image/png")


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (m.Part(image=m.ImagePart(url="https://a/b", detail=LONG_NAME)), "image.detail"),
        (m.Part(image=m.ImagePart(data=b"x", mime_type=LONG_NAME)), "image.mime_type"),
        (m.Part(image=m.ImagePart(file_id=LONG_ID)), "image.file_id"),
        (m.Part(image=m.ImagePart(url="https://" + "x" * 16_384)), "image.url"),
        (m.Part(file=m.FilePart(url="https://a/b", filename=LONG_NAME)), "file.filename"),
    ],
)
def test_a_name_in_a_part_is_bounded(part, field):
    (violation,) = violations_of(read, messages=[m.Message(role=m.ROLE_USER, parts=[part])])
    assert violation.field == f"messages[0].parts[0].{field}"
    assert "characters; at most" in violation.description


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (m.Part(tool_call=m.ToolCallPart(call_id=LONG_ID, name="f")), "tool_call.call_id"),
        (m.Part(tool_call=m.ToolCallPart(call_id="c", name=LONG_ID)), "tool_call.name"),
        (m.Part(text=m.TextPart(text="a", phase=LONG_NAME)), "text.phase"),
        (m.Part(reasoning=m.ReasoningPart(id=LONG_ID)), "reasoning.id"),
        (m.Part(reasoning=m.ReasoningPart(id="r", summary=[""] * 1_001)), "reasoning.summary"),
        (m.Part(reasoning=m.ReasoningPart(id="r", content=[""] * 1_001)), "reasoning.content"),
    ],
)
def test_content_of_the_model_is_bounded(part, field):
    (violation,) = violations_of(read, messages=[m.Message(role=m.ROLE_ASSISTANT, parts=[part]), USER])
    assert violation.field == f"messages[0].parts[0].{field}"
    assert "at most" in violation.description


def test_a_data_url_is_content_and_has_no_bound_of_its_own():
    part = m.Part(image=m.ImagePart(url="data:image/png;base64," + "A" * 20_000))
    assert read(messages=[m.Message(role=m.ROLE_USER, parts=[part])])


def test_parts_are_counted_in_all_with_those_of_results():
    inner = [m.Part(text=m.TextPart(text="a"))] * 10_000
    results = [m.Part(tool_result=m.ToolResultPart(call_id="call_1", parts=inner))] * 2
    (violation,) = violations_of(read, messages=[m.Message(role=m.ROLE_TOOL, parts=results)])
    assert violation.field == "messages[].parts"


def test_paragraphs_are_counted_in_all():
    thought = m.Part(reasoning=m.ReasoningPart(id="r", summary=["a"] * 1_000))
    (violation,) = violations_of(read, messages=[m.Message(role=m.ROLE_ASSISTANT, parts=[thought] * 21)])
    assert violation.field == "messages[0].parts[20].reasoning"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"service_tier": "x" * 129}, "options.service_tier"),
        ({"truncation": "x" * 129}, "options.truncation"),
        ({"reasoning": pb.ReasoningOptions(effort="x" * 129)}, "options.reasoning.effort"),
        ({"reasoning": pb.ReasoningOptions(summary="x" * 129)}, "options.reasoning.summary"),
        ({"text": pb.TextOptions(verbosity="x" * 129)}, "options.text.verbosity"),
        (
            {"text": pb.TextOptions(json_schema=pb.JsonSchemaFormat(name=LONG_NAME, schema="{}"))},
            "options.text.json_schema.name",
        ),
        (
            {"text": pb.TextOptions(json_schema=pb.JsonSchemaFormat(name="n", schema=" " * 262_145))},
            "options.text.json_schema.schema",
        ),
        ({"extra_body_json": " " * 262_145}, "options.extra_body_json"),
    ],
)
def test_an_option_is_bounded(options, field):
    (violation,) = violations_of(read, options=pb.CompletionOptions(**options))
    assert violation.field == field


def tools_named(count, **fields):
    return [m.Tool(name=f"t{index}", **fields) for index in range(count)]


@pytest.mark.parametrize(
    ("tools", "field"),
    [
        (tools_named(1_025), "tools"),
        (tools_named(1, description="x" * 65_537), "tools[0].description"),
        (tools_named(2, parameters=" " * 262_145), "tools[0].parameters"),
        (tools_named(17, parameters=" " * 262_144), "request"),
        (tools_named(5, parameters=" [" * 50_000), "request"),
    ],
)
def test_tools_are_bounded_each_and_in_all(tools, field):
    assert violations_of(read, tools=tools)[0].field == field


@pytest.mark.parametrize(
    ("functions", "field"), [(["t0"] * 1_025, "functions"), (["t0", "t1", "t0"], "functions[2]")]
)
def test_allowed_functions_are_bounded_and_named_once(functions, field):
    allowed = pb.AllowedTools(mode=pb.TOOL_CHOICE_MODE_AUTO, functions=functions)
    options = pb.CompletionOptions(tool_choice=pb.ToolChoice(allowed=allowed))
    (violation,) = violations_of(read, tools=tools_named(2), options=options)
    assert violation.field == f"options.tool_choice.allowed.{field}"


def test_a_model_and_a_page_token_are_bounded():
    assert violations_of(read, model=LONG_NAME)[0].field == "model"
    warm = session_pb2.WarmSessionRequest(session_id="s", model=LONG_NAME)
    assert violations_of(read_prime, warm, 0)[0].field == "model"
    page = session_pb2.ListSessionsRequest(page_token=LONG_NAME)
    assert violations_of(read_page, page)[0].field == "page_token"


def test_what_is_to_be_compacted_is_a_turn_with_few_options():
    asked = pb.CompactRequest(
        session_id="s",
        model="m",
        instructions="Be brief.",
        messages=[USER],
        request_id="r",
        store=False,
        prompt_cache_key="k",
        service_tier="flex",
    )
    read = read_compaction(asked, 10, 7)
    assert (read.session_id, read.model, read.instructions, read.request_id, read.size) == (
        "s",
        "m",
        "Be brief.",
        "r",
        7,
    )
    assert read.options == Options(store=False, prompt_cache_key="k", service_tier="flex")
    asked.ClearField("store")
    assert read_compaction(asked, 10, 7).options.store is None


def test_every_bad_field_of_it_is_named():
    asked = pb.CompactRequest(
        session_id="a b",
        request_id="x" * (MAX_REQUEST_ID + 1),
        prompt_cache_key="x" * (MAX_CACHE_KEY + 1),
        service_tier="x" * (MAX_OPTION + 1),
    )
    with pytest.raises(TurnError) as caught:
        read_compaction(asked, 10, 7)
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["session_id", "model", "request_id", "prompt_cache_key", "service_tier", "messages"]
