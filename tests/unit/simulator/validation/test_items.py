import pytest

from simulator.errors import ApiError
from simulator.validation.items import INPUT

TEXT = {"type": "input_text", "text": "Hello."}


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "Hello."},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "no JSON"},
        {"type": "function_call_output", "call_id": "c", "output": [TEXT]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "reasoning", "summary": []},
        {"type": "mcp_call", "server_label": "s", "name": "a.b", "arguments": "{}", "whatever": 1},
    ],
)
def test_accepted(item):
    INPUT([item], "input")


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"role": "user"}, "input[0].content"),
        ({"role": "nobody", "content": ""}, "input[0].role"),
        ({"role": "user", "content": [{"type": "output_text", "text": ""}]}, "input[0].content[0].type"),
        ({"role": "user", "content": [TEXT, {"type": "input_text"}]}, "input[0].content[1].text"),
        ({"type": "function_call", "call_id": "", "name": "f", "arguments": ""}, "input[0].call_id"),
        ({"type": "function_call", "call_id": "c", "name": "a b", "arguments": ""}, "input[0].name"),
        ({"type": "unknown"}, "input[0].type"),
        ({"type": "shell_call_output", "call_id": "c"}, "input[0].output"),
    ],
)
def test_refused_with_path(item, param):
    with pytest.raises(ApiError) as caught:
        INPUT([item], "input")
    assert caught.value.param == param
