"""Test the scan of the wire format: what it counts and where it stops."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import Reason, TurnError
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from service.gen.trunkline.v1 import session_pb2
from service.rpc.convert.scan import check_shape

STREAM = pb.StreamCompletionRequest.DESCRIPTOR.full_name
WARM = session_pb2.WarmSessionRequest.DESCRIPTOR.full_name


def refused(raw, kind=STREAM, max_messages=10):
    with pytest.raises(TurnError) as caught:
        check_shape(raw, kind, max_messages)
    assert caught.value.reason is Reason.INVALID_REQUEST
    (violation,) = caught.value.violations
    return violation


def said(*parts):
    return m.Message(role=m.ROLE_ASSISTANT, parts=parts)


EMPTY = m.Part(text=m.TextPart())
TOO_MANY: dict[str, Any] = {
    "messages": {"messages": [said()] * 11},
    "messages[].parts": {"messages": [said(*[EMPTY] * 10_001)] * 2},
    "messages[].parts[].reasoning.summary": {
        "messages": [said(m.Part(reasoning=m.ReasoningPart(summary=[""] * 20_001)))]
    },
    "messages[].parts[].reasoning.content": {
        "messages": [said(m.Part(reasoning=m.ReasoningPart(content=[""] * 20_001)))]
    },
    "tools": {"tools": [m.Tool(name="t")] * 1_025},
    "options.tool_choice.allowed.functions": {
        "options": {"tool_choice": {"allowed": {"functions": ["f"] * 1_025}}}
    },
    "options.metadata": {"options": {"metadata": {str(n): "" for n in range(17)}}},
}


@pytest.mark.parametrize("field", TOO_MANY)
def test_too_many_are_refused_by_the_name_of_the_field(field):
    raw = pb.StreamCompletionRequest(**TOO_MANY[field]).SerializeToString()
    violation = refused(raw)
    assert violation.field == field
    assert "at most" in violation.description
    with pytest.raises(TurnError):
        check_shape(raw, pb.CompleteRequest.DESCRIPTOR.full_name, 10)


def test_parts_of_results_are_parts():
    result = m.Part(tool_result=m.ToolResultPart(call_id="c", parts=[EMPTY] * 20_000))
    raw = pb.StreamCompletionRequest(messages=[said(result)]).SerializeToString()
    assert refused(raw).field == "messages[].parts"


@pytest.mark.parametrize(
    "unknown", [b"\x9a\x06\x00", b"\x98\x06\x01", b"\x9b\x06\x9c\x06", b"\x9d\x06\0\0\0\0"]
)
def test_unknown_fields_count_too(unknown):
    assert refused(unknown * 250_001).field == "request"


def test_as_much_as_is_allowed_passes():
    raw = pb.StreamCompletionRequest(
        messages=[said(*[EMPTY] * 2_000)] * 10, tools=[m.Tool(name="t")] * 1_024
    ).SerializeToString()
    check_shape(raw, STREAM, 10)


def test_a_warm_up_has_tools_too():
    raw = session_pb2.WarmSessionRequest(tools=[m.Tool(name="t")] * 1_025).SerializeToString()
    assert refused(raw, WARM).field == "tools"


@pytest.mark.parametrize(
    "raw", [b"\x22", b"\x22\x05\x12", b"\x22\x80", b"\x0f", b"\xff" * 11, b"\x22\xff\xff\xff\xff\x0f\x12"]
)
def test_what_is_not_well_formed_is_left_to_protobuf(raw):
    check_shape(raw, STREAM, 10)


def test_nesting_ends_where_that_of_protobuf_does():
    raw = b""
    for _ in range(200):
        inner = b"\x2a" + varint(len(raw)) + raw  # tool_result
        raw = b"\x12" + varint(len(inner)) + inner  # parts
    check_shape(b"\x22" + varint(len(raw)) + raw, STREAM, 10)


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


@given(st.binary(max_size=200))
def test_no_input_raises_anything_else(raw):
    check_shape(raw, STREAM, 10_000)
