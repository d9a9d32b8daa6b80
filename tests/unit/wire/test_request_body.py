import json

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter

from service.domain.errors import Reason, TurnError
from service.domain.messages import CompletionRequest, Options, TextFormat, Tool, ToolChoice
from service.domain.plan import STRICT_BASIS, ContextReason
from service.wire.request_body import OPTION_KEYS, SERVICE_KEYS, cache_key, fingerprint_of, settings_of

OFFICIAL = TypeAdapter(ResponseCreateParamsStreaming)
SCHEMA = '{"type":"object","properties":{"z":{"type":"integer","maximum":9007199254740993},"a":{}}}'
REASONS = {
    ContextReason.MODEL_CHANGED,
    ContextReason.INSTRUCTIONS_CHANGED,
    ContextReason.TOOLS_CHANGED,
    ContextReason.REASONING_CHANGED,
    ContextReason.TEXT_FORMAT_CHANGED,
    ContextReason.STORE_CHANGED,
    ContextReason.TRUNCATION_CHANGED,
    ContextReason.CONTEXT_MANAGEMENT_CHANGED,
    ContextReason.EXTRA_BODY_CHANGED,
}


def body(*, tools=(), instructions="", model="gpt-6", **options):
    return settings_of(CompletionRequest("s", model, (), instructions, tools, Options(**options)))


def refused_field(**request):
    with pytest.raises(TurnError) as caught:
        body(**request)
    assert caught.value.reason is Reason.INVALID_REQUEST
    return caught.value.violations[0].field


def test_what_is_not_set_is_not_sent():
    assert body() == {"model": "gpt-6", "store": False, "include": ["reasoning.encrypted_content"]}


def test_original_fault_max_tokens_0_dropped():
    sent = body(max_output_tokens=0, temperature=0.0, top_p=0.0, parallel_tool_calls=False)
    zeros = {"max_output_tokens": 0, "temperature": 0.0, "top_p": 0.0, "parallel_tool_calls": False}
    assert zeros.items() <= sent.items()


def test_all_that_can_be_set():
    sent = body(
        instructions="be brief",
        tools=(Tool("look", "looks", SCHEMA, strict=True),),
        temperature=1.5,
        top_p=0.5,
        max_output_tokens=100,
        parallel_tool_calls=True,
        store=True,
        tool_choice=ToolChoice("required"),
        reasoning_effort="low",
        reasoning_summary="auto",
        text_format=TextFormat("json_schema", "answer", SCHEMA, strict=True),
        verbosity="low",
        metadata=(("k", "v"),),
        prompt_cache_key="key",
        service_tier="flex",
        truncation="auto",
        safety_identifier="user",
        extra_body_json='{"max_tool_calls":3}',
    )
    assert sent == {
        "model": "gpt-6",
        "instructions": "be brief",
        "tools": [
            {
                "type": "function",
                "name": "look",
                "description": "looks",
                "parameters": json.loads(SCHEMA),
                "strict": True,
            }
        ],
        "store": True,
        "include": ["reasoning.encrypted_content"],
        "temperature": 1.5,
        "top_p": 0.5,
        "max_output_tokens": 100,
        "parallel_tool_calls": True,
        "tool_choice": "required",
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {
            "format": {"type": "json_schema", "name": "answer", "schema": json.loads(SCHEMA), "strict": True},
            "verbosity": "low",
        },
        "metadata": {"k": "v"},
        "prompt_cache_key": "key",
        "service_tier": "flex",
        "truncation": "auto",
        "safety_identifier": "user",
        "max_tool_calls": 3,
    }
    assert OFFICIAL.validate_python(sent | {"stream": True, "input": []})
    assert list(sent["tools"][0]["parameters"]["properties"]) == ["z", "a"]


def test_original_fault_tools_nested_chat_style():
    (tool,) = body(tools=(Tool("look"),))["tools"]
    assert tool == {
        "type": "function",
        "name": "look",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }


@pytest.mark.parametrize(
    ("schema", "keys"),
    [
        ("{}", ["type", "properties"]),
        ('{"required":[],"properties":{}}', ["required", "properties", "type"]),
        ('{"type":"object","$defs":{}}', ["type", "$defs", "properties"]),
        ('{"anyOf":[]}', ["anyOf", "type", "properties"]),
    ],
)
def test_a_schema_is_completed_in_place(schema, keys):
    (tool,) = body(tools=(Tool("look", parameters=schema),))["tools"]
    assert list(tool["parameters"]) == keys


@pytest.mark.parametrize(
    "schema", ["[]", "3", "null", "{", '{"type":"array"}', '{"type":["object","null"]}', '{"type":null}']
)
def test_what_is_no_schema_of_parameters_is_refused(schema):
    assert refused_field(tools=(Tool("a"), Tool("b", parameters=schema))) == "tools[1].parameters"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("", ("a",)), {"type": "function", "name": "a"}),
        (
            ToolChoice("auto", ("a", "b")),
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "a"}, {"type": "function", "name": "b"}],
            },
        ),
    ],
)
def test_tool_choice(choice, expected):
    sent = body(tool_choice=choice)
    assert sent["tool_choice"] == expected
    assert OFFICIAL.validate_python(sent | {"stream": True})


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_plain_text_formats(kind):
    assert body(text_format=TextFormat(kind))["text"] == {"format": {"type": kind}}


def test_a_bad_schema_of_the_answer_is_refused():
    assert refused_field(text_format=TextFormat("json_schema", "n", "[")) == "options.text.json_schema.schema"


@pytest.mark.parametrize("key", sorted(SERVICE_KEYS | OPTION_KEYS.keys()))
def test_the_extra_body_may_not_say_what_others_say(key):
    assert refused_field(extra_body_json=json.dumps({"user": "u", key: None})) == "options.extra_body_json"


LEAVES = {
    "reasoning.effort": {"reasoning": {"effort": "low"}},
    "reasoning.summary": {"reasoning": {"context": "all", "summary": None}},
    "text.verbosity": {"text": {"verbosity": "low"}},
    "text.format": {"text": {"format": "json_object"}},
    "text.format.type": {"text": {"format": {"type": "json_object"}}},
    "text.format.strict": {"text": {"format": {"strict": True}}},
    "tool_choice.name": {"tool_choice": {"name": "f"}},
    "metadata": {"metadata": {"k": "v"}},
    "temperature": {"temperature": {"a": 1}},
}


@pytest.mark.parametrize(("key", "extra"), LEAVES.items(), ids=LEAVES.keys())
def test_the_extra_body_may_not_set_what_an_option_sets(key, extra):
    with pytest.raises(TurnError, match=f'the key "{key}" has an option of its own'):
        body(extra_body_json=json.dumps(extra))


def test_the_extra_body_adds_keys_to_the_objects_of_options():
    extra = {
        "reasoning": {"context": "all_turns"},
        "text": {"format": {"description": "d"}, "new": {"a": 1}},
        "tool_choice": {"new": 1},
        "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    }
    sent = body(
        reasoning_effort="low",
        text_format=TextFormat("json_schema", "n", "{}"),
        tool_choice=ToolChoice(functions=("f",)),
        extra_body_json=json.dumps(extra),
    )
    assert sent["reasoning"] == {"effort": "low", "context": "all_turns"}
    assert sent["text"]["format"] == {
        "type": "json_schema", "name": "n", "schema": {}, "strict": False, "description": "d",
    }  # fmt: skip
    assert sent["text"]["new"] == {"a": 1}
    assert sent["tool_choice"] == {"type": "function", "name": "f", "new": 1}
    assert sent["context_management"] == extra["context_management"]


def test_the_extra_body_makes_the_object_of_an_option_that_is_not_set():
    assert body(extra_body_json='{"reasoning":{"context":"auto"}}')["reasoning"] == {"context": "auto"}
    assert "reasoning" not in body(extra_body_json='{"reasoning":{}}')


def test_a_mode_has_no_object_to_add_to():
    request = {"tool_choice": ToolChoice("auto"), "extra_body_json": '{"tool_choice":{"new":1}}'}
    assert refused_field(**request) == "options.extra_body_json"


def test_a_change_of_context_management_breaks_the_chain():
    one, other = (
        fingerprint_of(body(extra_body_json=f'{{"context_management":[{{"compact_threshold":{n}}}]}}'))
        for n in (1, 2)
    )
    assert {reason for reason in REASONS if one[reason] != other[reason]} == {
        ContextReason.CONTEXT_MANAGEMENT_CHANGED
    }


TOOL = '{"type":"custom","name":"a.b","format":{"type":"grammar","syntax":"lark","definition":"x"}}'


def test_definitions_are_sent_as_they_are():
    choice = '{"type":"custom","name":"a.b"}'
    sent = body(
        tools=(Tool("a.b", definition_json=TOOL), Tool("look")),
        tool_choice=ToolChoice(definition_json=choice),
    )
    assert sent["tools"][0] == json.loads(TOOL)
    assert sent["tools"][1]["type"] == "function"
    assert sent["tool_choice"] == json.loads(choice)
    assert OFFICIAL.validate_python(sent | {"stream": True, "input": []})


def test_a_changed_definition_is_a_change_of_tools():
    one, other = (
        fingerprint_of(body(tools=(Tool(definition_json=f'{{"type":"mcp","server_label":"{label}"}}'),)))
        for label in "ab"
    )
    assert {reason for reason in REASONS if one[reason] != other[reason]} == {ContextReason.TOOLS_CHANGED}


@pytest.mark.parametrize("text", ["[]", "{", '{"type":' + "[" * 101 + "]" * 101 + "}"])
def test_a_bad_definition_is_refused(text):
    assert refused_field(tools=(Tool("a"), Tool(definition_json=text))) == "tools[1].definition_json"
    choice = ToolChoice(definition_json=text)
    assert refused_field(tool_choice=choice) == "options.tool_choice.definition_json"


def test_what_the_caller_includes_follows_what_the_service_asks_for():
    include = ("file_search_call.results", "reasoning.encrypted_content", "web_search_call.action.sources")
    assert body(include=include)["include"] == [
        "reasoning.encrypted_content",
        "file_search_call.results",
        "web_search_call.action.sources",
    ]


@pytest.mark.parametrize("text", ["[]", "{", '{"a":NaN}', '{"a":' * 101 + "1" + "}" * 101])
def test_a_bad_extra_body_is_refused(text):
    assert refused_field(extra_body_json=text) == "options.extra_body_json"


def test_the_fingerprint_names_each_setting_that_a_chain_may_depend_on():
    assert fingerprint_of(body()).keys() == REASONS == STRICT_BASIS


def test_the_fingerprint_names_each_changed_setting():
    before = body(tools=(Tool("a", parameters=SCHEMA),))
    changed = {
        ContextReason.MODEL_CHANGED: body(tools=(Tool("a", parameters=SCHEMA),), model="gpt-7"),
        ContextReason.INSTRUCTIONS_CHANGED: before | {"instructions": "x"},
        ContextReason.TOOLS_CHANGED: body(tools=(Tool("b", parameters=SCHEMA),)),
        ContextReason.REASONING_CHANGED: before | {"reasoning": {"effort": "low"}},
        ContextReason.TEXT_FORMAT_CHANGED: before | {"text": {"format": {"type": "json_object"}}},
        ContextReason.STORE_CHANGED: before | {"store": True},
        ContextReason.TRUNCATION_CHANGED: before | {"truncation": "auto"},
        ContextReason.CONTEXT_MANAGEMENT_CHANGED: before | {"context_management": [{"type": "compaction"}]},
        ContextReason.EXTRA_BODY_CHANGED: before | {"max_tool_calls": 1},
    }
    old = fingerprint_of(before)
    assert old.keys() == changed.keys() == REASONS
    for reason, after in changed.items():
        new = fingerprint_of(after)
        assert {one for one in REASONS if old[one] != new[one]} == {reason}


def test_the_fingerprint_ignores_key_order_and_unrelated_settings():
    before = body(tools=(Tool("a", parameters='{"type":"object","properties":{"a":{},"b":{}}}'),))
    after = body(
        tools=(Tool("a", parameters='{"properties":{"b":{},"a":{}},"type":"object"}'),),
        temperature=1.0,
        top_p=1.0,
        max_output_tokens=5,
        parallel_tool_calls=True,
        tool_choice=ToolChoice("auto"),
        verbosity="high",
        metadata=(("k", "v"),),
        prompt_cache_key="k",
        service_tier="flex",
        safety_identifier="s",
    )
    assert fingerprint_of(before) == fingerprint_of(after)


def test_a_text_that_is_no_object_counts_as_it_stands():
    assert fingerprint_of({"text": 1}) != fingerprint_of({"text": 2})


def test_the_cache_key_is_a_digest_of_tenant_and_session():
    keys = {cache_key(*pair) for pair in (("a", "s"), ("a", "t"), ("b", "s"), ("as", ""), ("", "as"))}
    assert len(keys) == 5
    assert {len(key) for key in keys} == {32}
    assert cache_key("", "s1") == "38c36080ff47811050fcf131e1490f8b", "another value empties the caches"


def test_the_callers_cache_key_comes_first():
    request = CompletionRequest("s", "gpt-6", (), options=Options(prompt_cache_key="mine"))
    assert settings_of(request, "ours")["prompt_cache_key"] == "mine"
    assert settings_of(CompletionRequest("s", "gpt-6", ()), "ours")["prompt_cache_key"] == "ours"
    assert "prompt_cache_key" not in settings_of(CompletionRequest("s", "gpt-6", ()))
