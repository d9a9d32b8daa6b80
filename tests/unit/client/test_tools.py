from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any, Literal, Optional

import pytest

import trunkline
from trunkline import TOOL_CALL_KIND_CUSTOM, Tool, custom_tool, tool, tool_definition
from trunkline.gen.trunkline.v1 import message_pb2 as pb
from trunkline.gen.trunkline.v1.message_pb2 import ToolCallPart
from trunkline.schema import parameters_of
from trunkline.tools import AnyTool, as_tools, merged, prepare


class Unit(Enum):
    C = "celsius"
    F = "fahrenheit"


def test_a_function_is_described_by_its_signature():
    @tool
    def lookup(  # noqa: PLR0917 - every kind of parameter
        city: Annotated[str, "where"],
        days: int = 1,
        exact: bool = False,
        scale: float = 1.0,
        unit: Unit = Unit.C,
        mode: Literal["now", "later"] = "now",
        tags: list[str] | None = None,
        limits: Sequence[int] = (),
        extra: dict[str, int] | None = None,
        old: Optional[str] = None,  # noqa: UP045 - as many write it
        anything: Any = None,
    ) -> str:
        """Looks it up."""
        return city

    assert (lookup.name, lookup.description) == ("lookup", "Looks it up.")
    assert lookup.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "where"},
            "days": {"type": "integer"},
            "exact": {"type": "boolean"},
            "scale": {"type": "number"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "mode": {"enum": ["now", "later"]},
            "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
            "limits": {"type": "array", "items": {"type": "integer"}},
            "extra": {
                "anyOf": [{"type": "object", "additionalProperties": {"type": "integer"}}, {"type": "null"}]
            },
            "old": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "anything": {},
        },
        "required": ["city"],
        "additionalProperties": False,
    }
    assert lookup("Oslo") == "Oslo"


def test_what_cannot_be_called_by_keyword_is_no_tool():
    with pytest.raises(TypeError, match="by keyword"):
        parameters_of(lambda *args: args)


def test_the_decorator_with_words_of_its_own():
    @tool(name="other", description="Words.", strict=True)
    def function() -> None: ...

    proto = function.to_proto()
    assert (proto.name, proto.description, proto.strict) == ("other", "Words.", True)
    assert not Tool("f").to_proto().HasField("strict")
    assert Tool("f").to_proto().parameters == ""


def test_tools_by_name_or_in_a_row():
    def f(): ...

    assert [one.name for one in as_tools([f, Tool("g")])] == ["f", "g"]
    given: dict[str, AnyTool] = {"a": f, "b": Tool("g")}
    assert [one.name for one in as_tools(given)] == ["a", "b"]


def call(arguments="{}", name="f"):
    return ToolCallPart(call_id="c1", name=name, arguments=arguments)


def content_of(message):
    result = message.parts[0].tool_result
    return trunkline.text_of(result), result.is_error


def made(function, arguments="{}", name="f"):
    return prepare(call(arguments, name), {"f": Tool("f", function=function)})


async def async_add(a, b):
    return a + b


def boom():
    raise KeyError("gone")


async def async_boom():
    raise KeyError("gone")


CASES = [
    (lambda a, b: a + b, '{"a": 1, "b": 2}', ("3", False)),
    (async_add, '{"a": 1, "b": 2}', ("3", False)),
    (boom, "{}", ("KeyError: 'gone'", True)),
    (async_boom, "{}", ("KeyError: 'gone'", True)),
    (object, "{}", ("TypeError: Object of type object is not JSON serializable", True)),
    (lambda: "ok", "[]", ("the arguments are not a JSON object", True)),
]


@pytest.mark.parametrize(("function", "arguments", "expected"), CASES)
async def test_whatever_happens_is_reported_to_the_model(function, arguments, expected):
    prepared = made(function, arguments)
    assert content_of(await prepared.run_async()) == expected
    if not prepared.is_async:
        assert content_of(prepared.run()) == expected


@pytest.mark.parametrize("arguments", ["", "{", '{"a": NaN}', "[" * 100_000])
def test_arguments_that_are_no_json_are_reported_and_never_replaced(arguments):
    text, is_error = content_of(made(lambda **_: "called", arguments).run())
    assert text.startswith("the arguments are not valid JSON")
    assert is_error


def test_a_call_that_does_not_fit_the_function():
    text, is_error = content_of(made(lambda a: a, '{"b": 1}').run())
    assert is_error
    assert "unexpected keyword argument" in text


@pytest.mark.parametrize("tools", [{}, {"f": Tool("f")}])
def test_a_tool_that_is_not_there(tools):
    assert content_of(prepare(call(), tools).run()) == ("there is no tool named 'f'", True)
    with pytest.raises(TypeError, match="no function"):
        Tool("f")()


def test_a_tool_by_its_definition_is_passed_on_as_it_is_written():
    written = '{ "type":"web_search" , "filters":{} }'
    hosted = tool_definition(written)
    assert hosted.to_proto() == pb.Tool(definition_json=written)
    assert (hosted.name, hosted.is_custom) == ("", False)
    assert tool_definition({"type": "web_search"}).to_proto().definition_json == '{"type": "web_search"}'
    assert tool_definition('{"type": "custom", "name": "sql"}').is_custom


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ({"type": "function", "name": "f", "defer_loading": True}, "f"),
        ('{"type": "custom", "name": "f"}', "f"),
        ({"type": "namespace", "name": "f", "tools": []}, ""),
        ({"type": "custom"}, ""),
        ("{", ""),
    ],
)
def test_only_what_is_called_by_its_name_has_one(definition, name):
    assert tool_definition(definition).name == name


def test_tools_without_a_name_are_distinguished_by_their_definition():
    one, two = (tool_definition({"type": "mcp", "server_label": label}) for label in "ab")
    assert merged([one, Tool("f")], [two, one]) == [one, Tool("f"), two]


def test_a_definition_keeps_its_name_where_tools_are_given_by_name():
    sql = tool_definition({"type": "custom", "name": "sql"})
    assert as_tools({"other": sql}) == [sql]
    assert merged([sql], {"sql": boom}) == [tool_definition(sql.definition, boom)]


def test_a_custom_tool_is_described_by_its_function():
    @custom_tool
    def sql(query: str) -> str:
        """Runs a query."""
        return query

    assert (sql.name, sql.is_custom, sql("x")) == ("sql", True, "x")
    assert sql.definition == {"type": "custom", "name": "sql", "description": "Runs a query."}
    grammar = {"type": "grammar", "syntax": "regex", "definition": "[0-9]+"}
    number = custom_tool(name="number", description="A number.", format=grammar)(lambda text: text)
    assert number.to_proto().definition_json == (
        '{"type": "custom", "name": "number", "description": "A number.", "format": '
        '{"type": "grammar", "syntax": "regex", "definition": "[0-9]+"}}'
    )


async def async_shout(text):
    return text.upper()


@pytest.mark.parametrize("function", [str.upper, async_shout])
async def test_a_custom_tool_gets_the_text_as_it_is(function):
    custom = {"f": tool_definition({"type": "custom", "name": "f"}, function)}
    asked = ToolCallPart(call_id="c1", name="f", arguments='{"a": ', kind=TOOL_CALL_KIND_CUSTOM)
    assert content_of(await prepare(asked, custom).run_async()) == ('{"A": ', False)


def test_a_call_of_another_kind_is_reported_to_the_model():
    asked = ToolCallPart(call_id="c1", name="f", arguments="x", kind=TOOL_CALL_KIND_CUSTOM)
    plain = {"f": Tool("f", function=str.upper)}
    assert content_of(prepare(asked, plain).run()) == ("the tool 'f' is not a custom one", True)
    custom = {"f": tool_definition({"type": "custom", "name": "f"}, str.upper)}
    assert content_of(prepare(call(), custom).run()) == ("the tool 'f' is a custom one", True)
