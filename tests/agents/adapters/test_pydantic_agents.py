"""Pydantic AI runs its own loop over the service: each follow-up is incremental, and nothing is lost."""

from functools import partial

import pytest

from tests.agents.adapters import programs

pytestmark = pytest.mark.agents

NAME = "pydantic-ai"


@pytest.fixture
def play(shell, trunk):
    return partial(programs.play, shell, trunk, "pydantic_agents.py")


def incremental(trunk):
    return [bool(request["previous_response_id"]) for request in trunk.upstream.requests()]


async def test_a_conversation_in_deltas(play, trunk, cell):
    runs = await play("stream")
    assert ["".join(run["deltas"]) for run in runs] == [run["text"] for run in runs]
    assert len(runs[-2]["deltas"]) > 1
    assert runs[1]["text"].endswith("\ufeff end.")
    assert runs[2]["text"].startswith("Let me think about it.I received 1 new item")  # two phases
    assert all(run["tokens"] > 0 for run in runs)
    assert runs[-1]["cached"] > 0
    cell(NAME, "stream")
    assert len(trunk.upstream.requests()) == 5
    assert trunk.upstream.stats()["connections_total"] == 1


async def test_runs_in_one_piece(play, trunk):
    runs = await play("whole")
    assert runs[3]["text"] == "I called tide_at 2 times. Results: 1: 1.5 m 2: 2.5 m"
    assert incremental(trunk) == [False, *[True] * 6]


async def test_calls_side_by_side(play, trunk, cell):
    runs = await play("parallel_tools")
    assert runs[0]["text"] == "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m"
    assert runs[-1] == {"at_once": 2}
    cell(NAME, "parallel_tools")
    assert [request["new_items"] for request in trunk.upstream.requests()] == [1, 2, 1, 1]


async def test_a_search_goes_on(play, trunk, cell):
    runs = await play("hosted_tool")
    assert runs[0]["text"] == "High tide is at six. [1]"
    kinds = runs[-1]["kinds"]
    assert (kinds.count("builtin-tool-call"), kinds.count("builtin-tool-return")) == (3, 3)
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
    assert incremental(trunk) == [False, *[True] * 15]


async def test_a_conversation_goes_on_in_another_process(play, trunk):
    await play("another_process")
    assert incremental(trunk) == [False, True]


@pytest.mark.parametrize("scenario", ["structured", "output_tool"])
async def test_an_output_type(play, cell, scenario):
    runs = await play(scenario)
    assert [run["text"] for run in runs] == ["Tide(hour=1, height=1.5)"] * 2
    cell(NAME, "structured")


async def test_a_run_that_is_cancelled(play, trunk, cell):
    runs = await play("cancel")
    assert (runs[1].keys(), runs[1]["cancelled"]) == ({"deltas", "cancelled"}, True)
    assert "".join(runs[1]["deltas"]).startswith("word1 word2 ")
    assert len(runs[1]["deltas"]) == 2  # those that wait together are joined
    assert runs[-1]["text"].endswith('You said: "Bye.".')
    cell(NAME, "cancel", full=2)  # the turn after a cancelled one goes in full
    finished = [request["finished"] for request in trunk.upstream.requests()]
    assert finished == ["completed", "aborted", "completed", "completed"]


async def test_a_task_that_is_cancelled(play, trunk):
    runs = await play("cancelled_task")
    assert [run["error"] for run in runs] == ["", "TimeoutError", ""]
    finished = [request["finished"] for request in trunk.upstream.requests()]
    assert finished == ["completed", "aborted", "completed"]


LIMIT = "sim:fail(status=429, code=rate_limit_exceeded, retry_after=0.05)"


async def test_an_error_before_content_is_tried_again_by_the_package(play, trunk, cell):
    trunk.upstream.enqueue("sim:say(text=Hello.)", LIMIT)
    runs = await play("error")
    assert [run["error"] for run in runs] == ["", "", ""]
    cell(NAME, "error_before", full=2)
    assert trunk.upstream.stats()["failed"] == 1


@pytest.mark.parametrize(
    ("how", "error", "status"),
    [
        # The service takes the first for a chain that was lost, and sends the turn once more in full.
        ("sim:fail(status=400, code=dry, message=Out of tides.)", "ModelRequestRejectedError", 400),
        # It tries once more what was lost before content. Nobody does so after that: it may have been paid.
        ("sim:drop(at=start)", "ModelServerError", 502),
    ],
)
async def test_an_error_that_no_retry_helps_is_raised_at_once(play, trunk, how, error, status):
    trunk.upstream.enqueue("sim:say(text=Hello.)", how, how)
    runs = await play("error")
    assert [run["error"] for run in runs] == ["", error, ""]
    assert runs[1]["status"] == status
    assert len(trunk.upstream.requests()) == 4


@pytest.mark.parametrize("how", ["sim:fail(at=content)", "sim:drop(at=content)"])
async def test_an_error_after_content_repeats_nothing(play, trunk, cell, how):
    trunk.upstream.enqueue("sim:say(text=Hello.)", how)
    runs = await play("error")
    assert "".join(runs[1]["deltas"]) == "Half of an answer, and then"
    assert [bool(run["error"]) for run in runs] == [False, True, False]
    cell(NAME, "error_after", full=2)
    assert len(trunk.upstream.requests()) == 3


async def test_the_client_of_the_package_itself(play, trunk):
    shown = await play("package")
    assert shown[1]["text"] == "High tide is at six. [1]"
    assert [one["id"] for one in shown] == [request["response_id"] for request in trunk.upstream.requests()]
    assert incremental(trunk) == [False, True, True]


async def test_the_readme_is_true(shell, trunk):
    ended = await programs.run_example(shell, trunk, "pydantic_ai")
    assert ended.code == 0, ended.errors
    assert incremental(trunk) == [False, True]
    assert len(ended.lines) == 2
