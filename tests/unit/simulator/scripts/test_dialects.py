from typing import Any

import pytest

from simulator.scripts import Call, Fail, Reason, Say, Script, Turn, directive
from simulator.scripts.catalog import build

USER = {"role": "user", "content": "Go."}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "x"}
THOUGHT = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}


def script(name: str, *items: Any) -> Script:
    return build(directive.read(f"sim:{name}"), Turn({}, "http", [USER, *items]))


def kinds(name: str, *items: Any) -> list[str]:
    return [type(step).__name__ for step in script(name, *items).steps]


@pytest.mark.parametrize("name", ["llama_cpp", "copilot", "vllm", "stale", "odd", "whole_items", "end_alone"])
def test_a_text_and_two_calls_in_another_form(name):
    assert kinds(name) == ["Say", "Call", "Call"]
    assert script(name).dialect is not None
    assert kinds(name, CALL, OUTPUT) == ["Say"]


def test_kimi_gives_two_calls_one_id():
    calls = [step for step in script("kimi").steps if isinstance(step, Call)]
    assert {call.call_id for call in calls} == {"lookup:0"}
    assert calls[0].arguments != calls[1].arguments


def test_xai_gives_two_thoughts_one_id():
    thoughts = [step for step in script("xai").steps if isinstance(step, Reason)]
    assert {thought.item_id for thought in thoughts} == {"rs_twin"}
    assert thoughts[0].summary != thoughts[1].summary


def test_deepseek_wants_the_thought_back_with_the_result():
    assert kinds("deepseek") == ["Reason", "Say", "Call", "Call"]
    assert kinds("deepseek", THOUGHT, CALL, OUTPUT) == ["Reason", "Say"]
    (refused,) = script("deepseek", CALL, OUTPUT).steps
    assert isinstance(refused, Fail)
    assert (refused.status, "must be passed back" in refused.message) == (400, True)


def test_deepseek_wants_the_thought_of_this_turn():
    earlier = (THOUGHT, {"role": "assistant", "content": "Hi."}, USER)
    assert kinds("deepseek", *earlier, CALL, OUTPUT) == ["Fail"]
    assert isinstance(script("deepseek", *earlier, THOUGHT, CALL, OUTPUT).steps[-1], Say)
