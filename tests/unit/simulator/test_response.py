import pytest

from simulator import response
from simulator.response import Prompt

MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "12345678"}]}
REASONING = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "1234"}]}
CALL = {"type": "function_call", "name": "fn", "arguments": "{}"}


def test_parameters_are_echoed_or_have_defaults():
    opened = response.opened({"model": "m", "temperature": 0.0, "store": None}, "resp_1", 1)
    assert (opened["temperature"], opened["store"], opened["top_p"]) == (0.0, True, 1.0)
    assert (opened["status"], opened["output"], opened["usage"]) == ("in_progress", [], None)


def test_function_tools_get_defaults():
    tools = [{"type": "function", "name": "f"}, {"type": "web_search"}]
    assert response.opened({"model": "m", "tools": tools}, "resp_1", 1)["tools"] == [
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": True},
        {"type": "web_search"},
    ]


@pytest.mark.parametrize(("item", "tokens"), [(MESSAGE, 2), (REASONING, 1), (CALL, 1)])
def test_four_bytes_are_a_token(item, tokens):
    assert response.item_tokens(item) == tokens


def test_usage_adds_up():
    usage = Prompt(10, 4).usage([MESSAGE, REASONING, CALL])
    assert (usage["output_tokens"], usage["output_tokens_details"]["reasoning_tokens"]) == (4, 1)
    assert usage["total_tokens"] == 14
    assert usage["input_tokens_details"] == {"cached_tokens": 4, "cache_write_tokens": 6}


def test_the_preamble_depends_on_model_instructions_and_tools():
    body = {"model": "m", "input": "a", "instructions": "i", "tools": []}
    assert response.preamble(body) == response.preamble({**body, "input": "b"})
    for name in ("model", "instructions", "tools"):
        assert response.preamble(body) != response.preamble({**body, name: ["other"]})
