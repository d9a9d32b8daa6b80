from typing import Any

import pytest

from simulator.scripts.turn import Turn, text_of

FUNCTIONS = [{"type": "web_search"}, {"type": "function", "name": "f"}, {"type": "function", "name": "g"}]
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "1"}


def user(text: str) -> dict[str, object]:
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


def test_the_last_user_message_may_be_a_known_item():
    assert Turn({}, "http", [RESULT], [user("First."), user("Last."), CALL]).user_text == "Last."
    assert Turn({}, "http", [user("New.")], [user("Old.")]).user_text == "New."
    assert Turn({}, "http", [RESULT]).user_text == ""


def test_results_count_from_the_last_user_message():
    later = {**RESULT, "output": "2"}
    assert Turn({}, "http", [later], [RESULT, user("Go."), RESULT]).results == [RESULT, later]


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        (None, "f"),
        ("auto", "f"),
        ({"type": "function", "name": "g"}, "g"),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]}, "g"),
    ],
)
def test_the_tool_to_call(choice, name):
    function = Turn({"tools": FUNCTIONS, "tool_choice": choice}, "http", []).function
    assert function is not None
    assert function["name"] == name


@pytest.mark.parametrize("choice", ["none", {"type": "function", "name": "unknown"}])
def test_no_tool_to_call(choice):
    assert Turn({"tools": FUNCTIONS, "tool_choice": choice}, "http", []).function is None


def test_a_required_call_is_made_once():
    body = {"tools": FUNCTIONS, "tool_choice": "required"}
    assert Turn(body, "http", [user("Go.")]).must_call
    assert not Turn(body, "http", [RESULT], [user("Go."), CALL]).must_call


def test_text_of_parts_skips_images():
    parts = [
        {"type": "input_text", "text": "a"},
        {"type": "input_image"},
        {"type": "input_text", "text": "b"},
    ]
    assert (text_of(parts), text_of("plain")) == ("a\nb", "plain")


def test_tools_that_an_item_adds_are_offered():
    added = {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom", "name": "c"}]}
    turn = Turn({"tools": [{"type": "function", "name": "f"}]}, "http", [added])
    assert [tool["name"] for tool in turn.offered] == ["f", "c"]
    assert turn.tool("custom", "mcp") == {"type": "custom", "name": "c"}


def test_tools_of_a_namespace_say_which():
    inner = [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]
    turn = Turn({"tools": [{"type": "namespace", "name": "n", "tools": inner}]}, "http", [])
    assert turn.offered == [{**tool, "namespace": "n"} for tool in inner]
    assert turn.function == turn.offered[0]


def test_answers_of_every_kind_since_the_last_user_message():
    old = {"type": "custom_tool_call_output", "call_id": "a", "output": "x"}
    answers: list[dict[str, Any]] = [
        {"type": "function_call_output", "call_id": "b", "output": "x"},
        {"type": "mcp_approval_response", "approval_request_id": "r", "approve": True},
    ]
    turn = Turn({}, "http", answers, [old, {"role": "user", "content": "x"}])
    assert turn.answers == answers
    assert turn.results == answers[:1]
