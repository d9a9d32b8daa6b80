from typing import Any

import pytest

from simulator.scripts import Incomplete, Item, Reason, Say, Turn, directive, scenes
from simulator.scripts.catalog import build, choose

USER = {"role": "user", "content": "Go."}


def steps(text: str, *answers, **body) -> list[Any]:
    return list(build(directive.read(text), Turn(body, "http", [USER, *answers])).steps)


def kinds(text: str, *answers, **body) -> list[str]:
    return [
        step.type if isinstance(step, Item) else type(step).__name__ for step in steps(text, *answers, **body)
    ]


APPROVED = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
OUTPUTS = {
    "sim:custom": "custom_tool_call_output",
    "sim:shell": "shell_call_output",
    "sim:local_shell": "local_shell_call_output",
    "sim:apply_patch": "apply_patch_call_output",
    "sim:computer": "computer_call_output",
    "sim:namespace": "function_call_output",
}


@pytest.mark.parametrize("text", OUTPUTS)
def test_a_tool_of_the_caller_is_asked_for_until_it_has_answered(text):
    asked = steps(text)
    assert [step.type for step in asked] == [OUTPUTS[text].removesuffix("_output")]
    assert asked[0].called
    assert kinds(text, {"type": OUTPUTS[text], "call_id": "c", "output": "x"}) == ["Say"]


def test_a_custom_tool_may_be_called_several_times():
    output = {"type": "custom_tool_call_output", "call_id": "c", "output": "x"}
    assert [kinds("sim:custom(n=2)", *[output] * count) for count in range(3)] == [
        ["custom_tool_call"],
        ["custom_tool_call"],
        ["Say"],
    ]


def test_the_answer_to_another_call_is_none():
    assert kinds("sim:custom", {"type": "shell_call_output", "call_id": "c", "output": []}) == [
        "custom_tool_call"
    ]


def test_mcp_asks_for_approval_and_then_calls():
    assert kinds("sim:mcp") == ["mcp_list_tools", "mcp_approval_request"]
    call, said = steps("sim:mcp", APPROVED)
    assert (call.type, call.fields["approval_request_id"]) == ("mcp_call", "mcpr_1")
    assert isinstance(said, Say)


def test_mcp_does_not_call_when_it_was_denied():
    assert kinds("sim:mcp", {**APPROVED, "approve": False}) == ["Say"]


def test_a_failed_mcp_call_has_an_error_and_no_output():
    call = steps("sim:mcp(approval=false, fails=true)")[1]
    assert (call.fields["status"], call.fields["output"]) == ("failed", None)
    assert call.fields["error"]["type"] == "mcp_tool_execution_error"


def test_a_search_by_the_client_goes_on_with_the_tools_that_it_found():
    found = {"type": "tool_search_output", "call_id": "c", "tools": [{"type": "function", "name": "found"}]}
    assert kinds("sim:tool_search(by_client=true)") == ["tool_search_call"]
    (call,) = steps("sim:tool_search(by_client=true)", found)
    assert (call.type, call.fields["name"]) == ("function_call", "found")


def test_names_come_from_the_tools_that_are_offered():
    tools = [{"type": "custom", "name": "grammar"}, {"type": "mcp", "server_label": "ships"}]
    assert steps("sim:custom", tools=tools)[0].fields["name"] == "grammar"
    assert steps("sim:mcp", tools=tools)[0].fields["server_label"] == "ships"


def test_a_call_says_from_which_namespace_its_tool_is():
    inner = [{"type": "custom", "name": "exec"}, {"type": "function", "name": "wait"}]
    tools = [{"type": "namespace", "name": "functions", "tools": inner}]
    assert steps("sim:custom", tools=tools)[0].fields["namespace"] == "functions"
    call = steps("sim:tools", tools=tools)[0]
    assert (call.name, call.namespace) == ("wait", "functions")


@pytest.mark.parametrize(
    ("kind", "first"), [("web_search_preview", "web_search_call"), ("mcp", "mcp_list_tools")]
)
def test_a_tool_that_the_request_chooses_is_used(kind, first):
    script = choose(Turn({"tools": [{"type": kind}], "tool_choice": {"type": kind}}, "http", [USER]))
    assert isinstance(script.steps[0], Item)
    assert script.steps[0].type == first


def test_each_citation_names_the_text_that_it_stands_for():
    said = steps("sim:web_search(citations=3)")[-1]
    cited = [said.text[place["start_index"] : place["end_index"]] for place in said.citations]
    assert cited == ["[1]", "[2]", "[3]"]


@pytest.mark.parametrize(
    ("text", "included", "found"),
    [
        (
            "sim:web_search",
            "web_search_call.action.sources",
            lambda item: item.fields["action"].get("sources"),
        ),
        ("sim:file_search", "file_search_call.results", lambda item: item.fields["results"]),
        ("sim:code_interpreter", "code_interpreter_call.outputs", lambda item: item.fields["outputs"]),
    ],
)
def test_details_only_where_they_are_included(text, included, found):
    assert not found(steps(text)[0])
    assert found(steps(text, include=[included])[0])


def test_thoughts_stand_between_searches():
    assert kinds("sim:web_search(thoughts=true)") == [
        "Reason",
        "web_search_call",
        "web_search_call",
        "Reason",
        "web_search_call",
        "Say",
    ]


def test_a_large_image():
    image = steps("sim:image_generation(partial=1, size=5000)")[0]
    assert len(image.fields["result"]) == 5000
    assert sum(event.event.endswith("partial_image") for event in image.events) == 1


def test_a_custom_call_that_is_cut():
    call, ending = steps("sim:custom(cut=true)")
    assert (call.closed, ending) == (False, Incomplete())


def test_every_item_pairs_its_calls_with_outputs():
    written = [
        step for step in scenes.every_item(Turn({}, "http", [USER])).steps if not isinstance(step, Say)
    ]
    assert isinstance(written[0], Reason)
    types = [step.type for step in written if isinstance(step, Item)]
    assert len(types) == len(set(types))
