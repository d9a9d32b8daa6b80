"""Tool loops with the requests that other clients send, recorded and shortened.

The clients themselves are in tests/agents: they take an installation of their own.
"""

import json
from typing import Any

import pytest

METADATA = {"session_id": "01a2", "thread_id": "01a2", "x-codex-turn-metadata": '{"request_kind":"turn"}'}
CODEX: dict[str, Any] = {
    "type": "response.create",
    "model": "gpt-6-astra",
    "stream": True,
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low", "context": "all_turns"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "01a225d8-363c-7221-8ce9-6700f05fb40f",
    "text": {"verbosity": "low"},
    "client_metadata": METADATA,
}
EXEC = {"type": "custom", "name": "exec", "description": "Run.", "format": {"type": "text"}}
WAIT = {
    "type": "function",
    "name": "wait",
    "strict": False,
    "parameters": {"type": "object", "properties": {}},
}
ADDED = {
    "type": "additional_tools",
    "role": "developer",
    "tools": [{"type": "namespace", "name": "functions", "description": "Tools.", "tools": [EXEC, WAIT]}],
}
AGENTS: dict[str, Any] = {
    "type": "response.create",
    "model": "m",
    "stream": True,
    "include": [],
    "instructions": "Be brief.",
    "tools": [WAIT],
}


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [("sim:custom", "custom_tool_call", "exec"), ("sim:tools", "function_call", "wait")],
)
async def test_codex_warms_up_and_continues_over_one_websocket(dial, receive, text, kind, name):
    async def turn(**fields) -> dict[str, Any]:
        await socket.send(json.dumps({**CODEX, **fields}))
        ended: dict[str, Any] = (await receive(socket))[-1]["response"]
        return ended

    async with dial() as socket:
        warm = await turn(input=[], generate=False)
        asked = await turn(previous_response_id=warm["id"], input=[ADDED, user(text)])
        (call,) = asked["output"]
        assert (call["type"], call["name"], call["namespace"]) == (kind, name, "functions")
        output = {"type": f"{kind}_output", "id": "fco_1", "call_id": call["call_id"]}
        result = {**output, "output": [{"type": "input_text", "text": "Done."}]}
        ended = await turn(previous_response_id=asked["id"], input=[result])
    assert [item["type"] for item in ended["output"]] == ["message"]


async def test_codex_sends_everything_over_http(http):
    body = {name: value for name, value in CODEX.items() if name != "type"}
    said = [ADDED, user("sim:custom")]
    answer = (await http.post("/responses", json={**body, "input": said, "stream": False})).json()
    (call,) = answer["output"]
    result = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done."}
    ended = (
        await http.post("/responses", json={**body, "input": [*said, call, result], "stream": False})
    ).json()
    assert ended["output"][0]["type"] == "message"


async def test_the_agents_sdk_sends_everything_over_a_websocket(dial, receive):
    said: list[dict[str, Any]] = [{"role": "user", "content": "sim:tools"}]
    async with dial() as socket:
        await socket.send(json.dumps({**AGENTS, "input": said}))
        (call,) = (await receive(socket))[-1]["response"]["output"]
        result = {"type": "function_call_output", "call_id": call["call_id"], "output": "Done."}
        await socket.send(json.dumps({**AGENTS, "input": [*said, call, result]}))
        ended = (await receive(socket))[-1]["response"]
    assert "wait" in ended["output"][0]["content"][0]["text"]
