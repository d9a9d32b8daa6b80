import json
from typing import Any

import pytest

from simulator.errors import ApiError
from simulator.scripts import BUILDERS, Call, Directive, Refuse, Say, Script, Turn, build, choose

TOOL = {
    "type": "function",
    "name": "f",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
}


def user(text) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(number) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": f"result {number}"}


def turn(*new, known=(), **body) -> Turn:
    return Turn({"model": "m", **body}, "websocket", new, known)


def said(script: Script) -> str:
    (step,) = script.steps
    assert isinstance(step, Say)
    return step.text


def test_the_default_answer_reports_what_was_received():
    assert said(choose(turn(user("Hi.")))) == (
        'I received 1 new item (user message) over websocket, and knew nothing before. You said: "Hi.".'
    )
    assert said(
        choose(turn(result(1), user("Hi."), known=[user("x")] * 4, previous_response_id="resp_1"))
    ) == (
        "I received 2 new items (function call output, user message) over websocket, "
        'continuing resp_1 and already knew 4 items. You said: "Hi.".'
    )
    assert said(choose(turn())) == "I received 0 new items over websocket, and knew nothing before."


def test_the_report_shortens_long_input():
    text = said(choose(turn(*[user("x" * 500)] * 9)))
    assert "user message, …)" in text
    assert text.endswith("x" * 200 + '…".')


def test_the_directive_is_read_from_the_last_user_message():
    assert said(choose(turn(user("sim:say(text=A)"), user("plain")))).startswith("I received")
    assert said(choose(turn(result(1), known=[user("x"), user("sim:say(text=A)")]))) == "A"
    parts = [
        {"type": "input_text", "text": "sim:say(text=A)"},
        {"type": "input_image", "image_url": "data:,"},
    ]
    assert said(choose(turn(user(parts)))) == "A"


@pytest.mark.parametrize(
    "wanted",
    [
        Directive("no_such"),
        Directive("words", {"n": "many"}),
        Directive("words", {"m": "3"}),
        Directive("incomplete", {"reason": "boredom"}),
        Directive("fail", {"at": "noon"}),
        Directive("echo", {"turn": "x"}),
    ],
)
def test_a_typo_is_refused(wanted):
    with pytest.raises(ApiError):
        build(wanted, turn(user("x")))


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_name_needs_no_arguments(name):
    assert isinstance(build(Directive(name), turn(user(f"Try sim:{name}."), tools=[TOOL])), Script)


def test_a_tool_loop_asks_until_it_has_enough():
    asked = user("sim:tools(n=3, parallel=2)")
    first = choose(turn(asked, tools=[TOOL]))
    assert [json.loads(step.arguments) for step in first.steps if isinstance(step, Call)] == [
        {"q": "q 1"},
        {"q": "q 2"},
    ]
    second = choose(turn(result(1), result(2), known=[asked], tools=[TOOL]))
    assert len(second.steps) == 1
    third = choose(turn(result(3), known=[asked, result(1), result(2)], tools=[TOOL]))
    assert said(third) == "I called f 3 times. Results: 1: result 1 2: result 2 3: result 3"


def test_calls_are_sequential_without_parallel_tool_calls():
    asked = user("sim:tools(n=3, parallel=3)")
    assert len(choose(turn(asked, tools=[TOOL])).steps) == 3
    assert len(choose(turn(asked, tools=[TOOL], parallel_tool_calls=False)).steps) == 1


def test_results_before_the_last_user_message_do_not_count():
    script = choose(turn(user("sim:tools"), known=[user("x"), result(1)], tools=[TOOL]))
    assert isinstance(script.steps[0], Call)


@pytest.mark.parametrize("fields", [{}, {"tools": []}, {"tools": [TOOL], "tool_choice": "none"}])
def test_a_tool_loop_without_a_tool(fields):
    assert "no function tool is offered" in said(choose(turn(user("sim:tools"), **fields)))


OTHER = {"type": "function", "name": "g"}


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("required", "f"),
        ({"type": "function", "name": "g"}, "g"),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "g"}]}, "g"),
    ],
)
def test_a_forced_call_is_made_once(choice, name):
    forced = choose(turn(user("x"), tools=[TOOL, OTHER], tool_choice=choice))
    assert [step.name for step in forced.steps if isinstance(step, Call)] == [name]
    after = choose(turn(result(1), known=[user("x")], tools=[TOOL, OTHER], tool_choice=choice))
    assert said(after).startswith("I received")


def test_structured_answers_meet_their_schema():
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "tags": {"type": "array", "items": {"enum": ["a", "b"]}}},
        "required": ["n", "tags"],
    }
    text = {"format": {"type": "json_schema", "name": "x", "schema": schema}}
    assert json.loads(said(choose(turn(user("x"), text=text)))) == {"n": 1, "tags": ["a"]}
    assert json.loads(said(choose(turn(user("x"), text={"format": {"type": "json_object"}})))) == {
        "answer": "answer 1"
    }


def test_simple_answers():
    assert said(choose(turn(user("Well, sim:echo then")))) == "Well,  then"
    assert said(choose(turn(user("sim:words(n=3)")))) == "word1 word2 word3"
    assert choose(turn(user("sim:refuse(text=No.)"))).steps == (Refuse("No."),)
    (_, text) = choose(turn(user("sim:long(bytes=1000)"))).steps
    assert isinstance(text, Say)
    assert len(text.text) == 1000
