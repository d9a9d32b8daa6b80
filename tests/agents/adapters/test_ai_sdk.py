"""The AI SDK runs its own loops over the service: steps and follow-ups are incremental, nothing is lost."""

from functools import partial

import pytest

from tests.agents.adapters import node

pytestmark = pytest.mark.agents

NAME = "ai-sdk"
SEARCH = "sim:web_search(thoughts=true)"
FOUND = ["reasoning", "web_search_call", "web_search_call", "reasoning", "web_search_call", "message"]
"""The items of an answer that searched."""


@pytest.fixture
def converse(shell, trunk):
    return partial(node.converse, shell, trunk, "ai_sdk.mjs")


async def test_a_conversation_in_deltas(converse, trunk, cell):
    turns = await converse("stream", "Hello.", "sim:slow(n=10, delay_ms=100)", "sim:unicode", "And now?")
    assert all("".join(turn["deltas"]) == turn["text"] for turn in turns)
    assert len(turns[1]["deltas"]) > 1  # those that wait together are joined
    assert turns[1]["text"].startswith("word1 word2")
    assert turns[-1]["text"].startswith("I received 1 new item")
    assert [turn["reports"] for turn in turns] == [["full"], *[["incremental"]] * 3]
    tokens = turns[-1]["usage"]["inputTokenDetails"]
    assert tokens["cacheReadTokens"] > 0
    assert sum(tokens.values()) == turns[-1]["usage"]["inputTokens"]
    cell(NAME, "stream")
    assert trunk.upstream.stats()["connections_total"] == 1


@pytest.mark.parametrize("how", ["stream", "generate", "ui"])
async def test_calls_side_by_side(converse, trunk, cell, how):
    turns = await converse(how, "sim:tools(n=3, parallel=2)", "And now?")
    assert turns[0]["results"] == [["tide_at", "1.5 m"], ["tide_at", "2.5 m"], ["tide_at", "3.5 m"]]
    assert turns[0]["text"] == "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m"
    cell(NAME, "parallel_tools")
    assert [request["new_items"] for request in trunk.upstream.requests()] == [1, 2, 1, 1]


@pytest.mark.parametrize("how", ["stream", "generate", "ui"])
async def test_a_search_goes_on(converse, trunk, cell, how):
    turns = await converse(how, SEARCH, "And now?")
    assert turns[0]["text"] == "High tide is at six. [1]"
    assert turns[0]["sources"] == ["https://tides.example/today/1"]
    assert [name for name, _ in turns[0]["results"]] == ["search"] * 3
    assert turns[0]["results"][0][1]["action"]["query"] == "tides today"
    assert turns[0]["reasoning"] == ["The answer is on the web.Now find the hour."]
    cell(NAME, "hosted_tool")
    assert [request["items"] for request in trunk.upstream.requests()] == [["message"], ["message"]]


async def test_a_search_goes_back_where_everything_is_sent(converse, trunk):
    await converse("again", SEARCH, "And now?")
    _, everything = trunk.upstream.requests()
    assert everything["previous_response_id"] is None
    assert everything["items"] == ["message", *FOUND, "message"]


@pytest.mark.parametrize("how", ["stream", "generate", "ui"])
async def test_whatever_else_an_answer_holds_goes_back(converse, trunk, cell, how):
    asked = [
        "sim:every_item",
        "sim:phases",
        "sim:refuse",
        "sim:parts(n=3)",
        "sim:file_search",
        "sim:mcp(approval=false)",
    ]
    turns = await converse(how, *asked, "And now?")
    assert turns[0]["text"] == "That was all."
    requests = trunk.upstream.requests()
    assert [request["previous_response_id"] for request in requests[1:]] == [
        request["response_id"] for request in requests[:-1]
    ]


@pytest.mark.parametrize("how", ["stream", "generate"])
async def test_other_tools_of_the_caller(converse, trunk, how):
    turns = await converse(how, "sim:custom(n=2)", "sim:shell", "And now?")
    assert [turn["text"].partition(".")[0] for turn in turns[:2]] == ["Thank you", "Thank you"]
    assert turns[0]["results"] == [["sql", "2.4"], ["sql", "2.4"]]
    requests = trunk.upstream.requests()
    assert [bool(request["previous_response_id"]) for request in requests] == [False, *[True] * 5]


async def test_an_approval(converse, trunk):
    turns = await converse("generate", "sim:mcp", "And now?")
    assert turns[0]["text"] == "The tide is at 2.4 m."
    assert [request["items"] for request in trunk.upstream.requests()][1] == ["mcp_approval_response"]


async def test_an_object_by_its_schema(converse, cell):
    turns = await converse("structured", "Where?", "And then?")
    assert [turn["object"] for turn in turns] == [{"town": "town 1", "hours": [1.5]}] * 2
    cell(NAME, "structured")


async def test_an_answer_that_is_aborted(converse, trunk, cell):
    turns = await converse("cancel", "Hello.", "sim:slow(n=400, delay_ms=25)", "Bye.")
    assert "".join(turns[1]["deltas"]).startswith("word1 word2 word3 ")
    assert len(turns[1]["deltas"]) == 3
    assert "abort" in turns[1]["kinds"]
    assert turns[2]["text"].endswith('You said: "Bye.".')
    cell(NAME, "cancel", full=2)  # the turn after one that was stopped goes in full
    finished = [request["finished"] for request in trunk.upstream.requests()]
    assert finished == ["completed", "aborted", "completed"]


LIMIT = "sim:fail(status=429, code=rate_limit_exceeded, retry_after=0.05)"


@pytest.mark.parametrize("how", ["stream", "generate"])
async def test_a_rate_limit_before_content_is_tried_again_by_the_framework(converse, trunk, cell, how):
    trunk.upstream.enqueue("sim:say(text=Hello.)", LIMIT)
    turns = await converse(how, "Hello.", "sim:words(n=3)", "Bye.")
    assert turns[1]["text"] == "word1 word2 word3"
    cell(NAME, "error_before", full=2)
    assert trunk.upstream.stats()["failed"] == 1


async def test_a_refusal_is_not_tried_again(converse, trunk):
    refusal = "sim:fail(status=400, code=dry, message=Out of tides.)"
    # The service takes the first for a chain that was lost, and sends the turn once more in full.
    trunk.upstream.enqueue("sim:say(text=Hello.)", refusal, refusal)
    turns = await converse("stream", "Hello.", "And now?", "Bye.")
    assert "Out of tides." in turns[1]["error"]
    assert [turns[1][name] for name in ("status", "retryable", "tries")] == [400, False, 1]
    assert len(trunk.upstream.requests()) == 4


@pytest.mark.parametrize("how", ["sim:fail(at=content)", "sim:drop(at=content)"])
async def test_an_error_after_content_repeats_nothing(converse, trunk, cell, how):
    trunk.upstream.enqueue("sim:say(text=Hello.)", how)
    turns = await converse("stream", "Hello.", "And now?", "Bye.")
    assert "".join(turns[1]["deltas"]) == "Half of an answer, and then"
    assert (turns[1]["retryable"], turns[1]["tries"]) == (False, 1)
    assert turns[2]["text"].endswith('You said: "Bye.".')
    cell(NAME, "error_after", full=2)
    assert len(trunk.upstream.requests()) == 3


async def test_the_readme_is_true(shell, trunk):
    ended = await node.run_example(shell, trunk, "ai-sdk")
    assert ended.code == 0, ended.errors
    reports = [line.strip() for line in ended.lines if line.startswith("  ")]
    assert reports == ["full, first_turn", "incremental, continued"]
