"""Every type of input item that the official package knows reaches the upstream as the caller wrote it."""

import json
import types
import typing

import pytest
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from service.domain.item_keys import NAMED_KEYS
from service.domain.item_types import CALLER_ONLY, MODEL_ONLY
from service.domain.plan import ContextReason, Plan
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from service.rpc.convert.requests import read_completion
from service.wire.request import encode, prepare

KINDS = typing.get_args(ResponseInputItemParam)
CALL = m.Part(tool_call=m.ToolCallPart(call_id="text", name="f", arguments="{}"))
CUSTOM = m.Part(tool_call=m.ToolCallPart(call_id="text", name="f", kind=m.TOOL_CALL_KIND_CUSTOM))


def example(annotation, depth=0):
    """Make a value of the type, with every key that it may have."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if is_typeddict(annotation):
        hints = typing.get_type_hints(annotation)
        required = annotation.__required_keys__ if depth > 8 else hints
        return {key: example(hints[key], depth + 1) for key in required}
    if origin is typing.Literal:
        return arguments[0]
    if origin in (typing.Union, types.UnionType):
        return example(next(one for one in arguments if one is not type(None)), depth + 1)
    if origin is dict:
        return {"key": example(arguments[1], depth + 1)}
    if origin is not None:
        return [example(arguments[0], depth + 1)]
    return {str: "text", int: 7, float: 1.5, bool: True, object: {"any": 1}}[annotation]


def sent(part, role, *, store=False, before=()):
    """Return the bytes and the last item of the request that holds the part."""
    messages = [m.Message(role=role, parts=[part])]
    if before:
        messages.insert(0, m.Message(role=m.ROLE_ASSISTANT, parts=before))
    request = pb.StreamCompletionRequest(
        session_id="s", model="m", messages=messages, options=pb.CompletionOptions(store=store)
    )
    turn = prepare(read_completion(request, 10, request.ByteSize()))
    body = encode(turn, Plan(turn.items, "", ContextReason.FIRST_TURN), websocket=True)
    return bytes(body), json.loads(body)["input"][-1]


def test_the_package_has_as_many_types_as_were_looked_at():
    assert len(KINDS) == 33
    names = {example(kind)["type"] for kind in KINDS}
    assert CALLER_ONLY | MODEL_ONLY | set(NAMED_KEYS) <= names


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_item_reaches_the_upstream_verbatim(kind):
    item = example(kind)
    TypeAdapter(kind).validate_python(item)
    text = json.dumps(item, indent=1)
    part = m.Part(upstream_item=m.UpstreamItemPart(type=item["type"], json=text))
    role = m.ROLE_ASSISTANT if item["type"] in MODEL_ONLY else m.ROLE_USER
    body, last = sent(part, role)
    assert text.encode() in body
    assert last == item


RESULT = m.Part(tool_result=m.ToolResultPart(call_id="text", parts=[m.Part(text=m.TextPart(text="text"))]))
OWN_PARTS = {
    "function_call": (CALL, m.ROLE_ASSISTANT, ()),
    "custom_tool_call": (CUSTOM, m.ROLE_ASSISTANT, ()),
    "function_call_output": (RESULT, m.ROLE_TOOL, (CALL,)),
    "custom_tool_call_output": (RESULT, m.ROLE_TOOL, (CUSTOM,)),
}


@pytest.mark.parametrize("name", OWN_PARTS)
def test_a_part_of_its_own_keeps_every_key(name):
    (kind,) = (kind for kind in KINDS if example(kind)["type"] == name)
    item = example(kind)
    assert NAMED_KEYS[name] - {"status"} <= item.keys()
    part, role, before = OWN_PARTS[name]
    extra = {key: value for key, value in item.items() if key not in NAMED_KEYS[name] - {"status"}}
    whole = m.Part(item_id=item["id"], extra_json=json.dumps(extra))
    whole.MergeFrom(part)
    _, last = sent(whole, role, store=True, before=before)
    assert last.keys() == item.keys()
    assert {key: last[key] for key in extra} == extra
