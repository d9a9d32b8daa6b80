from typing import get_args

import pytest
from openai.types.responses import ResponseIncludable
from openai.types.shared import ReasoningEffort

import trunkline
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.options import TRANSPORTS, Effort, Include, Options, Transport, completion_options
from trunkline.reports import seconds


def test_nothing_given_is_nothing_sent():
    assert completion_options({}) == pb.CompletionOptions()
    assert completion_options({"temperature": None, "transport": None}) == pb.CompletionOptions()


def test_zero_and_false_are_values():
    options = completion_options(
        {
            "temperature": 0,
            "top_p": 0.0,
            "max_output_tokens": 0,
            "parallel_tool_calls": False,
            "store": False,
        }
    )
    for name in ("temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "store"):
        assert options.HasField(name)


def test_every_option_reaches_the_wire():
    given: Options = {
        "transport": "sse",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 10,
        "parallel_tool_calls": True,
        "store": True,
        "tool_choice": "required",
        "reasoning_effort": "low",
        "reasoning_summary": "auto",
        "text_format": trunkline.json_schema("city", {"type": "object"}, strict=True),
        "verbosity": "low",
        "metadata": {"team": "a"},
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "truncation": "auto",
        "safety_identifier": "s",
        "warm_up": True,
        "include": ["file_search_call.results"],
        "extra_body": {"top_logprobs": 2},
        "linger": 2.5,
        "heartbeat": 15,
        "resume": True,
    }
    assert given.keys() == Options.__annotations__.keys()
    options = completion_options(given)
    assert {field.name for field, _ in options.ListFields()} == set(
        pb.CompletionOptions.DESCRIPTOR.fields_by_name
    )
    assert options.transport == pb.TRANSPORT_SSE
    assert options.tool_choice.mode == pb.TOOL_CHOICE_MODE_REQUIRED
    assert (options.reasoning.effort, options.reasoning.summary) == ("low", "auto")
    assert options.text.json_schema.schema == '{"type": "object"}'
    assert options.text.verbosity == "low"
    assert options.extra_body_json == '{"top_logprobs": 2}'
    assert (seconds(options.linger), seconds(options.heartbeat)) == (2.5, 15)


def test_a_turn_that_is_resumed_lingers():
    assert seconds(completion_options({"resume": True}).linger) == 60
    assert seconds(completion_options({"resume": True, "linger": 5}).linger) == 5
    assert not completion_options({"resume": False}).HasField("linger")


def test_json_that_is_written_already_is_not_touched():
    schema = '{"b":1,"a":1e3}'
    assert trunkline.json_schema("x", schema).schema == schema
    assert completion_options({"extra_body": schema}).extra_body_json == schema
    assert not trunkline.json_schema("x", schema).HasField("strict")


@pytest.mark.parametrize("name", ["plain", "json_object"])
def test_formats_without_content(name):
    assert completion_options({"text_format": name}).text.WhichOneof("format") == name


def test_choosing_tools():
    forced = completion_options({"tool_choice": trunkline.force_tool("f")})
    assert forced.tool_choice.function == "f"
    definition = '{"type":"web_search"}'
    verbatim = completion_options({"tool_choice": trunkline.choice_definition(definition)})
    assert verbatim.tool_choice.definition_json == definition
    allowed = completion_options({"tool_choice": trunkline.allow_tools("f", "g", required=True)})
    assert list(allowed.tool_choice.allowed.functions) == ["f", "g"]
    assert allowed.tool_choice.allowed.mode == pb.TOOL_CHOICE_MODE_REQUIRED
    assert trunkline.allow_tools("f").allowed.mode == pb.TOOL_CHOICE_MODE_AUTO


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"temprature": 1}, TypeError),
        ({"transport": "carrier pigeon"}, ValueError),
        ({"tool_choice": "f"}, ValueError),
        ({"text_format": "yaml"}, ValueError),
        ({"temperature": "hot"}, TypeError),
    ],
)
def test_a_slip_is_reported_at_once(given, error):
    with pytest.raises(error):
        completion_options(given)


def test_the_transports_are_those_of_the_contract():
    assert set(get_args(Transport)) == set(TRANSPORTS)
    assert len(TRANSPORTS) == len(pb.Transport.items()) - 1  # all but UNSPECIFIED


def known(kind):
    """The names that an editor offers; the other member of the union is `str`."""
    names, rest = get_args(kind)
    assert rest is str
    return set(get_args(names))


def test_an_editor_offers_the_names_of_the_upstream():
    assert known(Include) == set(get_args(ResponseIncludable))
    assert known(Effort) == set(get_args(get_args(ReasoningEffort)[0]))


def test_a_name_that_is_newer_than_the_client_is_sent():
    options = completion_options(
        {"reasoning_effort": "newest", "service_tier": "newest", "verbosity": "newest"}
    )
    assert options.reasoning.effort == options.service_tier == options.text.verbosity == "newest"
