import pytest

from service.domain.errors import TurnError
from service.domain.limits import MAX_INCLUDE, MAX_JSON_BYTES, MAX_METADATA_PAIRS, MAX_OPTION, MAX_TOOLS
from service.domain.messages import Options, Tool, ToolChoice
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from service.rpc.convert.options import check_json, read_options, read_tools
from service.rpc.convert.validate import Violations

TOOLS = (Tool("f"), Tool("g"))
REQUIRED = pb.TOOL_CHOICE_MODE_REQUIRED
SEARCH = '{"type":"web_search"}'
CUSTOM = '{"type":"custom","name":"h.i"}'


def options(**fields):
    return pb.CompletionOptions(**fields)


def fields(read, *arguments):
    """Call `read`, and return the paths of the fields that were refused."""
    found = Violations()
    read(found, *arguments)
    try:
        found.check()
    except TurnError as error:
        return [violation.field for violation in error.violations]
    return []


def test_without_options_the_defaults_apply():
    assert read_options(Violations(), options(), ()) == Options()


def test_zero_is_a_value_and_absence_is_none():
    read = read_options(Violations(), options(temperature=0, store=False), ())
    assert (read.temperature, read.store) == (0.0, False)
    assert (read.top_p, read.parallel_tool_calls) == (None, None)


def test_metadata_is_sorted_so_that_equal_requests_are_equal():
    read = read_options(Violations(), options(metadata={"b": "1", "a": "2"}), ())
    assert read.metadata == (("a", "2"), ("b", "1"))


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ({"mode": REQUIRED}, ToolChoice(mode="required")),
        ({"function": "f"}, ToolChoice(functions=("f",))),
        ({"allowed": {"mode": REQUIRED, "functions": ["g"]}}, ToolChoice("required", ("g",))),
        ({"definition_json": SEARCH}, ToolChoice(definition_json=SEARCH)),
    ],
)
def test_each_tool_choice_is_read(choice, read):
    found = Violations()
    assert read_options(found, options(tool_choice=choice), TOOLS).tool_choice == read
    assert len(found) == 0


REFUSED = {
    "temperature": ({"temperature": 2.1}, "options.temperature"),
    "top_p": ({"top_p": float("nan")}, "options.top_p"),
    "tokens": ({"max_output_tokens": -1}, "options.max_output_tokens"),
    "transport": ({"transport": 99}, "options.transport"),
    "tier": ({"service_tier": "x" * (MAX_OPTION + 1)}, "options.service_tier"),
    "pairs": ({"metadata": {str(n): "" for n in range(MAX_METADATA_PAIRS + 1)}}, "options.metadata"),
    "no choice": ({"tool_choice": {}}, "options.tool_choice"),
    "no mode": ({"tool_choice": {"mode": 0}}, "options.tool_choice.mode"),
    "unknown tool": ({"tool_choice": {"function": "h"}}, "options.tool_choice.function"),
    "no function": (
        {"tool_choice": {"allowed": {"mode": REQUIRED}}},
        "options.tool_choice.allowed.functions",
    ),
    "twice": (
        {"tool_choice": {"allowed": {"mode": REQUIRED, "functions": ["f", "f"]}}},
        "options.tool_choice.allowed.functions[1]",
    ),
    "none allowed": (
        {"tool_choice": {"allowed": {"mode": pb.TOOL_CHOICE_MODE_NONE, "functions": ["f"]}}},
        "options.tool_choice.allowed.mode",
    ),
    "no definition": ({"tool_choice": {"definition_json": ""}}, "options.tool_choice.definition_json"),
    "bad definition": ({"tool_choice": {"definition_json": "{"}}, "options.tool_choice.definition_json"),
    "no type": ({"tool_choice": {"definition_json": "{}"}}, "options.tool_choice.definition_json"),
    "includes": ({"include": ["x"] * (MAX_INCLUDE + 1)}, "options.include"),
    "empty include": ({"include": ["x", ""]}, "options.include[1]"),
    "long include": ({"include": ["x" * (MAX_OPTION + 1)]}, "options.include[0]"),
    "no schema": ({"text": {"json_schema": {"name": "n"}}}, "options.text.json_schema.schema"),
}


@pytest.mark.parametrize(("given", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_a_violation_names_its_option(given, field):
    assert fields(read_options, options(**given), TOOLS) == [field]


@pytest.mark.parametrize("name", ["", "a b", "x" * 65])
def test_a_tool_needs_a_valid_name(name):
    assert fields(read_tools, [m.Tool(name=name)]) == ["tools[0].name"]


@pytest.mark.parametrize("name", ["a.b", "x" * 64])
def test_a_tool_may_be_named_as_those_of_mcp_servers(name):
    assert fields(read_tools, [m.Tool(name=name)]) == []


def test_a_definition_is_kept_with_the_name_in_it():
    found = Violations()
    read = read_tools(found, [m.Tool(definition_json=SEARCH), m.Tool(definition_json=CUSTOM)])
    searching = Tool(definition_json=SEARCH, type="web_search")
    assert read == (searching, Tool("h.i", definition_json=CUSTOM, type="custom"))
    assert read_options(found, options(tool_choice={"function": "h.i"}), read).tool_choice
    assert len(found) == 0


@pytest.mark.parametrize("definition", ["{", "[]", "{}", '{"type":""}', '{"type":1}'])
def test_a_definition_is_an_object_with_a_type(definition):
    assert fields(read_tools, [m.Tool(definition_json=definition)]) == ["tools[0].definition_json"]


@pytest.mark.parametrize(
    "field", [{"name": "f"}, {"description": "d"}, {"parameters": "{}"}, {"strict": False}]
)
def test_a_definition_stands_alone(field):
    assert fields(read_tools, [m.Tool(definition_json=SEARCH, **field)]) == ["tools[0].definition_json"]


def test_what_is_included_keeps_its_order():
    assert read_options(Violations(), options(include=["b", "a"]), ()).include == ("b", "a")


def test_definitions_count_among_the_json_of_a_request():
    long = '{"type":"t","a":"' + "x" * MAX_JSON_BYTES + '"}'
    choice = Options(tool_choice=ToolChoice(definition_json=long))
    assert fields(check_json, (Tool(definition_json=long),), choice) == [
        "tools[0].definition_json",
        "options.tool_choice.definition_json",
    ]


def test_two_tools_never_share_a_name():
    assert fields(read_tools, [m.Tool(name="f"), m.Tool(name="f")]) == ["tools[1].name"]


def test_too_many_tools_are_refused_before_any_is_read():
    assert fields(read_tools, [m.Tool()] * (MAX_TOOLS + 1)) == ["tools"]


def test_json_that_is_too_long_is_named():
    tools = (Tool("f", parameters="x" * (MAX_JSON_BYTES + 1)), Tool("g", parameters="{}"))
    assert fields(check_json, tools, Options()) == ["tools[0].parameters"]


def test_many_nodes_in_all_are_refused():
    tools = tuple(Tool(f"f{n}", parameters="[" * 50_000) for n in range(5))
    assert fields(check_json, tools, Options()) == ["request"]


def test_json_within_its_limits_passes():
    assert fields(check_json, TOOLS, Options(extra_body_json="{" + " " * 60_000 + "}")) == []
