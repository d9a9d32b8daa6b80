"""LangChain's agents run LangGraph's loop over the service: follow-ups are incremental, nothing is lost."""

from functools import partial

import pytest

from tests.agents.adapters import programs

pytestmark = pytest.mark.agents

NAME = "langchain"


@pytest.fixture
def play(shell, trunk):
    return partial(programs.play, shell, trunk, "langchain_agents.py")


async def test_a_conversation_in_deltas(play, trunk, cell):
    runs = await play("stream")
    assert [run["text"] for run in runs] == ["".join(run["deltas"]) for run in runs]
    assert len(runs[2]["deltas"]) > 1  # a busy service joins deltas that wait together
    assert runs[2]["text"].startswith("word1 word2")
    assert runs[-1]["text"].startswith("I received 1 new item")
    assert all(run["usage"]["total_tokens"] > 0 for run in runs)
    assert runs[-1]["usage"]["input_token_details"]["cache_read"] > 0
    cell(NAME, "stream")
    assert len(trunk.upstream.requests()) == 4
    assert trunk.upstream.stats()["connections_total"] == 1


async def test_calls_side_by_side(play, trunk, cell):
    runs = await play("parallel_tools")
    assert runs[0]["results"] == ["1.5 m", "2.5 m", "3.5 m"]
    assert runs[0]["text"] == "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m"
    assert runs[-1] == {"at_once": 2}
    cell(NAME, "parallel_tools")
    assert [request["new_items"] for request in trunk.upstream.requests()] == [1, 2, 1, 1]


async def test_a_search_goes_on(play, trunk, cell):
    runs = await play("hosted_tool")
    assert runs[0]["text"] == "High tide is at six. [1]"
    said = ["reasoning", "server_tool_call", "server_tool_call", "reasoning", "server_tool_call", "text"]
    assert runs[0]["blocks"] == [*said, *["server_tool_result"] * 3]
    cell(NAME, "hosted_tool")
    assert [request["items"] for request in trunk.upstream.requests()] == [["message"], ["message"]]


async def test_a_search_goes_back_where_everything_is_sent(play, trunk):
    await play("another_session")
    search = ["reasoning", "web_search_call", "web_search_call", "reasoning", "web_search_call", "message"]
    _, everything = trunk.upstream.requests()
    assert everything["items"] == ["message", *search, "message"]


async def test_all_that_the_model_says_goes_back_as_it_came(play, trunk):
    runs = await play("everything")
    assert runs[-1]["text"].startswith("I received 1 new item")
    requests = trunk.upstream.requests()
    assert [bool(request["previous_response_id"]) for request in requests] == [False, *[True] * 8]
    assert not any(request["repeated_items"] for request in requests)


async def test_another_process_goes_on_with_a_thread(play, trunk):
    runs = await play("another_process")
    assert runs[1]["text"].startswith("I received 1 new item (user message) over websocket, continuing")
    assert trunk.upstream.stats()["connections_total"] == 1


async def test_a_response_format(play, cell):
    runs = await play("structured")
    tide = "Tide(hour=1, height=1.5)"
    assert [run["value"] for run in runs] == [f"Table(first={tide}, tides=[{tide}])"] * 2
    cell(NAME, "structured")


async def test_a_run_that_is_cancelled(play, trunk, cell):
    runs = await play("cancel")
    assert (runs[1]["error"], runs[1]["text"]) == ("cancelled", None)
    assert len(runs[1]["deltas"]) < 50
    assert runs[-1]["text"].endswith('You said: "Bye.".')
    cell(NAME, "cancel", full=2)  # the turn after a cancelled one goes in full
    finished = [request["finished"] for request in trunk.upstream.requests()]
    assert finished == ["completed", "aborted", "completed", "completed"]


LIMIT = "sim:fail(status=429, code=rate_limit_exceeded, retry_after=0.05)"


async def test_an_error_before_content_is_tried_again_by_the_framework(play, trunk, cell):
    trunk.upstream.enqueue("sim:say(text=Hello.)", LIMIT)
    runs = await play("error")
    assert [run["error"] for run in runs] == ["", "", ""]
    assert runs[1]["text"] == "word1 word2 word3"
    cell(NAME, "error_before", full=2)
    assert trunk.upstream.stats()["failed"] == 1


async def test_an_error_that_no_retry_helps_is_raised_at_once(play, trunk):
    refusal = "sim:fail(status=400, code=dry, message=Out of tides.)"
    # The service takes the first for a chain that was lost, and sends the turn once more in full.
    trunk.upstream.enqueue("sim:say(text=Hello.)", refusal, refusal)
    runs = await play("error")
    assert [run["error"] for run in runs] == ["", "INVALID_REQUEST", ""]
    assert len(trunk.upstream.requests()) == 4


@pytest.mark.parametrize("how", ["sim:fail(at=content)", "sim:drop(at=content)"])
async def test_an_error_after_content_repeats_nothing(play, trunk, cell, how):
    trunk.upstream.enqueue("sim:say(text=Hello.)", how)
    runs = await play("error")
    assert "".join(runs[1]["deltas"]) == "Half of an answer, and then"
    assert runs[1]["error"] in ("UPSTREAM_ERROR", "CONNECTION_LOST")
    assert runs[2]["error"] == ""
    cell(NAME, "error_after", full=2)
    assert len(trunk.upstream.requests()) == 3


async def test_graphs_that_block(play, trunk):
    runs = await play("blocking")
    assert runs[0]["text"] == "I called height_at 2 times. Results: 1: 1 m 2: 2 m"
    assert runs[1] == {"blocks": ["reasoning", "text"], "last": "last"}
    assert runs[2]["report"]["context"] == "incremental"
    assert [bool(request["previous_response_id"]) for request in trunk.upstream.requests()] == [
        False,
        *[True] * 4,
    ]


async def test_the_readme_is_true(shell, trunk):
    ended = await programs.run_example(shell, trunk, "langchain")
    assert ended.code == 0, ended.errors
    incremental = [bool(request["previous_response_id"]) for request in trunk.upstream.requests()]
    assert incremental == [False, True]
    assert len(ended.lines) == 2
