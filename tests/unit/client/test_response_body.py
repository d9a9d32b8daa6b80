import json

import pytest

from trunkline import Options, user
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.response_body import read_body

BODY = {"model": "m", "input": "Hi."}


def read(defaults: Options | None = None, **more):
    return read_body(BODY | more, defaults or {})


def test_the_least_of_a_body():
    body = read()
    assert (body.request.model, list(body.request.messages)) == ("m", [user("Hi.")])
    assert (body.request.session_id, body.streamed, body.tools) == ("", False, ())
    assert body.request.options == pb.CompletionOptions()


def test_a_whole_body():
    function = {"type": "function", "name": "f", "parameters": {}, "strict": True}
    body = read(
        input=[{"role": "user", "content": "Hi."}],
        instructions="Be brief.",
        stream=True,
        tools=[function, {"type": "custom", "name": "sql"}],
        tool_choice="required",
        temperature=0,
        max_output_tokens=0,
        store=True,
        include=["reasoning.encrypted_content"],
        metadata={"a": "b"},
        reasoning={"effort": "low", "summary": "auto", "context": "all_turns"},
        text={"verbosity": "low", "format": {"type": "text"}},
        user="ada",
        previous_response_id=None,
        prompt_cache_options={"comparison_response_id": "resp_1"},
    )
    request, options = body.request, body.request.options
    assert (body.streamed, [tool["type"] for tool in body.tools]) == (True, ["function", "custom"])
    assert request.instructions == "Be brief."
    assert json.loads(request.tools[0].definition_json) == function
    assert (options.HasField("temperature"), options.HasField("max_output_tokens")) == (True, True)
    assert (options.store, dict(options.metadata)) == (True, {"a": "b"})
    assert options.tool_choice.mode == pb.TOOL_CHOICE_MODE_REQUIRED
    assert (options.reasoning.effort, options.reasoning.summary, options.text.verbosity) == (
        "low",
        "auto",
        "low",
    )
    assert options.text.HasField("plain")
    assert json.loads(options.extra_body_json) == {"user": "ada", "reasoning": {"context": "all_turns"}}


def test_a_schema_and_what_no_option_can_say_of_it():
    form = {
        "type": "json_schema",
        "name": "t",
        "schema": {"b": 1, "a": 2},
        "strict": True,
        "description": "d",
    }
    options = read(text={"format": form}).request.options
    assert (options.text.json_schema.name, options.text.json_schema.strict) == ("t", True)
    assert options.text.json_schema.schema == '{"b": 1, "a": 2}'
    assert json.loads(options.extra_body_json) == {"text": {"format": {"description": "d"}}}


def test_a_choice_by_definition():
    choice = {"type": "function", "name": "f"}
    assert json.loads(read(tool_choice=choice).request.options.tool_choice.definition_json) == choice


def test_what_the_api_has_no_name_for():
    body = read({"transport": "auto", "temperature": 1.0}, trunkline={"session_id": "s", "transport": "sse"})
    assert body.request.session_id == "s"
    assert body.request.options.transport == pb.TRANSPORT_SSE
    assert body.request.options.temperature == 1.0
    assert read(trunkline={"resume": True}).request.turn_key


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id: send the whole history"),
        ({"conversation": "conv_1"}, "conversation: send the whole history"),
        ({"trunkline": {"transprot": "sse"}}, "unknown option: transprot"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format: .* is not known"),
        ({"input": [{"role": "robot", "content": "x"}]}, "robot"),
    ],
)
def test_what_no_turn_can_have(more, problem):
    with pytest.raises((ValueError, TypeError, LookupError), match=problem):
        read(**more)


def test_a_body_without_a_model():
    with pytest.raises(LookupError, match="model"):
        read_body({"input": "Hi."}, {})
