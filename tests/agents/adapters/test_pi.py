"""The agents of pi run their own loop over the service: follow-ups are incremental, nothing is lost."""

import json
from functools import partial

import pytest

from tests.agents.adapters import node

pytestmark = pytest.mark.agents

NAME = "pi"
SEARCH = "sim:web_search(thoughts=true)"
FOUND = ["reasoning", "web_search_call", "web_search_call", "reasoning", "web_search_call", "message"]
"""The items of an answer that searched."""


@pytest.fixture
def converse(shell, trunk):
    return partial(node.converse, shell, trunk, "pi.mjs")


async def test_a_conversation_in_deltas(converse, trunk, cell):
    turns = await converse("stream", "Hello.", "sim:slow(n=10, delay_ms=100)", "sim:unicode", "And now?")
    assert all("".join(turn["deltas"]) == turn["text"] == turn["partial"] for turn in turns)
    assert len(turns[1]["deltas"]) > 1  # those that wait together are joined
    assert turns[-1]["text"].startswith("I received 1 new item")
    streamed = [
        "message_start",
        "text_start",
        "text_delta",
        "text_end",
        "message_end",
        "turn_end",
        "agent_end",
    ]
    assert turns[0]["kinds"][-7:] == streamed
    usage = turns[-1]["usage"]
    assert usage["cacheRead"] > 0
    assert usage["totalTokens"] == usage["input"] + usage["cacheRead"] + usage["output"]
    assert usage["cost"]["total"] > 0
    cell(NAME, "stream")
    assert trunk.upstream.stats()["connections_total"] == 1


async def test_a_warm_up_comes_before_the_first_turn(converse, trunk):
    turns = await converse("warm", "Hello.", "And now?")
    assert [turn["reasons"] for turn in turns] == [["primed"], ["continued"]]
    assert [request["generate"] for request in trunk.upstream.requests()] == [False, True, True]


async def test_the_transport_is_the_agents(converse, trunk):
    turns = await converse("sse", "Hello.", "And now?")
    assert [turn["reasons"] for turn in turns] == [["sse"], ["sse"]]
    assert {request["transport"] for request in trunk.upstream.requests()} == {"http"}


async def test_calls_side_by_side(converse, trunk, cell):
    turns = await converse("stream", "sim:tools(n=3, parallel=2)", "And now?")
    assert turns[0]["results"] == ["1.5 m", "2.5 m", "3.5 m"]
    assert turns[0]["text"] == "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m"
    assert turns[0]["most"] == 2
    assert {"toolcall_start", "toolcall_delta", "toolcall_end"} < set(turns[0]["kinds"])
    cell(NAME, "parallel_tools")
    assert [request["new_items"] for request in trunk.upstream.requests()] == [1, 2, 1, 1]


async def test_a_search_goes_on(converse, trunk, cell):
    turns = await converse("stream", SEARCH, "And now?")
    assert turns[0]["text"] == "High tide is at six. [1]"
    signatures = [block["thinkingSignature"] for block in turns[0]["blocks"] if block["type"] == "thinking"]
    assert [json.loads(signature)["type"] for signature in signatures] == FOUND[:-1]
    assert [block.get("thinking") for block in turns[0]["blocks"]][:2] == ["The answer is on the web.", ""]
    cell(NAME, "hosted_tool")
    assert [request["items"] for request in trunk.upstream.requests()] == [["message"], ["message"]]


async def test_a_search_goes_back_where_everything_is_sent(converse, trunk):
    await converse("again", SEARCH, "And now?")
    _, everything = trunk.upstream.requests()
    assert everything["previous_response_id"] is None
    assert everything["items"] == ["message", *FOUND, "message"]


async def test_whatever_else_an_answer_holds_goes_back(converse, trunk):
    asked = ("sim:every_item", "sim:phases", "sim:refuse", "sim:parts(n=3)", "sim:custom", "sim:file_search")
    turns = await converse("stream", *asked, "And now?")
    assert turns[0]["text"] == "That was all."
    requests = trunk.upstream.requests()
    assert [request["previous_response_id"] for request in requests[1:]] == [
        request["response_id"] for request in requests[:-1]
    ]


async def test_json_by_a_schema_that_a_hook_asks_for(converse, cell):
    turns = await converse("structured", "Where?", "And then?")
    assert [json.loads(turn["text"]) for turn in turns] == [{"town": "town 1", "hours": [1.5]}] * 2
    cell(NAME, "structured")


async def test_an_answer_that_is_aborted(converse, trunk, cell):
    turns = await converse("cancel", "Hello.", "sim:slow(n=400, delay_ms=25)", "Bye.")
    assert "".join(turns[1]["deltas"]).startswith("word1 word2 word3 ")
    assert len(turns[1]["deltas"]) == 3
    assert (turns[1]["stopReason"], turns[1]["errorMessage"]) == ("aborted", "Request was aborted")
    assert turns[1]["text"] == "".join(turns[1]["deltas"])
    assert turns[2]["text"].endswith('You said: "Bye.".')
    cell(NAME, "cancel", full=2)  # the turn after one that was stopped goes in full
    finished = [request["finished"] for request in trunk.upstream.requests()]
    assert finished == ["completed", "aborted", "completed"]


async def test_an_error_before_content_is_the_answer_and_is_not_tried_again(converse, trunk, cell):
    trunk.upstream.enqueue("sim:say(text=Hello.)", "sim:fail(status=429, code=rate_limit_exceeded)")
    turns = await converse("stream", "Hello.", "And now?", "Bye.")
    assert (turns[1]["stopReason"], turns[1]["blocks"]) == ("error", [])
    assert turns[1]["errorMessage"].startswith("RATE_LIMITED: ")
    assert turns[2]["text"].endswith('You said: "Bye.".')
    cell(NAME, "error_before", full=2)
    assert len(trunk.upstream.requests()) == 3


@pytest.mark.parametrize("how", ["sim:fail(at=content)", "sim:drop(at=content)"])
async def test_an_error_after_content_repeats_nothing(converse, trunk, cell, how):
    trunk.upstream.enqueue("sim:say(text=Hello.)", how)
    turns = await converse("stream", "Hello.", "And now?", "Bye.")
    assert "".join(turns[1]["deltas"]) == turns[1]["text"] == "Half of an answer, and then"
    assert turns[1]["stopReason"] == "error"
    assert turns[2]["text"].endswith('You said: "Bye.".')
    cell(NAME, "error_after", full=2)
    assert len(trunk.upstream.requests()) == 3


async def test_the_readme_is_true(shell, trunk):
    ended = await node.run_example(shell, trunk, "pi")
    assert ended.code == 0, ended.errors
    reports = [line.strip() for line in ended.lines if line.startswith("  ")]
    assert reports == ["full, first_turn", "incremental, continued"]
    incremental = [bool(request["previous_response_id"]) for request in trunk.upstream.requests()]
    assert incremental == [False, True]
