"""The OpenAI Agents SDKs and the AI SDK talk to the simulator as to the upstream, over all that they speak.

Each holds one conversation in which the upstream searches, calls an MCP server, and asks for tools. So the
items of each answer come back in later requests, where the simulator validates them.
"""

import json

import pytest

from tests.agents.conftest import HERE

pytestmark = pytest.mark.agents

PROGRAMS = {
    "agents-python": (HERE / ".venv/bin/python", HERE / "openai_agents.py"),
    "agents-typescript": ("node", HERE / "openai_agents.mjs"),
    "ai-sdk": ("node", HERE / "ai_sdk.mjs"),
}
AGENTS = ("agents-python", "agents-typescript")
TRANSPORTS = [
    *((program, transport) for program in AGENTS for transport in ("http", "websocket")),
    ("ai-sdk", "http"),
]
CELLS = [
    *((*cell, history) for cell in TRANSPORTS for history in ("items", "chain")),
    ("ai-sdk", "http", "references"),
]
CONVERSATION = {
    "sim:web_search(thoughts=true)": "High tide is at six. [1]",
    "sim:mcp(approval=false)": "The tide is at 2.4 m.",
    "sim:unicode": "naïve e\u0301 — 你好 \U0001f9d1\u200d\U0001f680 שלום \u2028 \u2029 \x85 \t 𝄞 \ufeff end.",
    "sim:tools(n=3, parallel=2)": "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m",
}
REQUESTS = len(CONVERSATION) + 2
"""One for each message; the tool loop takes two more: with the results of two calls at once, then of one."""


async def converse(shell, upstream, program, transport, history, *messages):
    return await shell.run(*PROGRAMS[program], upstream.url, transport, history, *messages)


@pytest.mark.parametrize(("program", "transport", "history"), CELLS)
async def test_a_conversation_with_tools(shell, upstream, program, transport, history):
    ended = await converse(shell, upstream, program, transport, history, *CONVERSATION)
    assert ended.code == 0, ended.errors
    turns = [json.loads(line) for line in ended.lines]
    assert [turn["text"] for turn in turns] == list(CONVERSATION.values())
    assert ["".join(turn["deltas"]) for turn in turns] == list(CONVERSATION.values())
    assert all(len(turn["deltas"]) > 1 for turn in turns)
    assert [turn["results"] for turn in turns] == [[], [], [], ["1.5 m", "2.5 m", "3.5 m"]]

    stats, requests = upstream.stats(), upstream.requests()
    assert (stats["requests_total"], stats["completed"]) == (REQUESTS, REQUESTS)
    assert {request["transport"] for request in requests} == {transport}
    over_websocket = transport == "websocket"
    assert stats["connections_total"] == (1 if over_websocket else 0)
    assert stats["http_requests"] == (0 if over_websocket else REQUESTS)
    previous = [request["previous_response_id"] for request in requests]
    sent = [request["new_items"] for request in requests]
    if history != "chain":
        assert not any(previous)
        assert sent == sorted(set(sent)), "each request has all items of the one before, and more"
    elif program in AGENTS:
        assert previous == [None, *(request["response_id"] for request in requests[:-1])]
        assert sent == [1, 1, 1, 1, 2, 1]
        assert not any(request["repeated_items"] for request in requests)
    else:
        # The AI SDK sends its instructions each time, and a whole tool loop with the id from before the loop.
        assert all(previous[1:])
        assert sent == [2, 2, 2, 2, 6, 8]


CALLS = {"sim:custom(n=2)": 3, "sim:shell": 2, "sim:local_shell": 2}
"""What asks for a tool that the caller runs and that is no function, and how many requests it takes."""
WITHOUT = {"agents-typescript": {"sim:custom(n=2)", "sim:local_shell"}}
"""What a client has no tool for."""


@pytest.mark.parametrize(("program", "transport"), TRANSPORTS)
async def test_other_tools_of_the_caller(shell, upstream, program, transport):
    messages = [message for message in CALLS if message not in WITHOUT.get(program, ())]
    ended = await converse(shell, upstream, program, transport, "items", *messages, "And now?")
    assert ended.code == 0, ended.errors
    texts = [json.loads(line)["text"] for line in ended.lines]
    assert [text.partition(".")[0] for text in texts[:-1]] == ["Thank you"] * len(messages)
    assert texts[-1].endswith('You said: "And now?".')
    stats = upstream.stats()
    wanted = sum(CALLS[message] for message in messages) + 1
    assert (stats["requests_total"], stats["completed"]) == (wanted, wanted)


HIDDEN = {("agents-typescript", "websocket"): 'unsuccessful terminal state "error"'}
"""What a client says instead of the upstream's message."""


@pytest.mark.parametrize(("program", "transport"), TRANSPORTS)
async def test_a_refusal_is_the_error_that_the_client_raises(shell, upstream, program, transport):
    message = "sim:fail(status=400, code=dry, message=Out of tides.)"
    ended = await converse(shell, upstream, program, transport, "items", message)
    assert ended.code == 1
    assert HIDDEN.get((program, transport), "Out of tides.") in ended.errors
    assert ended.lines == []
    stats = upstream.stats()
    assert (stats["requests_total"], stats["failed"]) == (1, 1)
