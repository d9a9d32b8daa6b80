"""AI services of LangChain4j run over the service: follow-ups are incremental, nothing is lost."""

import json
import re

import pytest

from tests.e2e.conftest import ROOT

pytestmark = pytest.mark.agents

NAME = "langchain4j"
ADAPTER = ROOT / "clients/java/langchain4j"
SEARCH = "sim:web_search(thoughts=true)"

MAVEN_S = 240.0
"""Maven loads plugins, compiles and runs: six seconds of a processor, and downloads the first time."""


@pytest.fixture
def hold(shell, trunk):
    """Hold a conversation: kinds (Scenarios.java has them) and messages. Return what came of each."""

    async def run(*steps: tuple[str, str]):
        arguments = [word for step in steps for word in step]
        ended = await shell.run(ADAPTER / "scenarios", trunk.address, *arguments)
        assert ended.code == 0, ended.errors
        return [json.loads(line) for line in ended.lines]

    return run


async def test_a_conversation_in_deltas(hold, trunk, cell):
    slow = ("sim:slow(n=5, delay_ms=100)", "sim:slow(n=6, delay_ms=100)")
    turns = await hold(*(("stream", message) for message in (*slow, "sim:reason", "sim:unicode", "Bye.")))
    assert all("".join(turn["deltas"]) == turn["text"] for turn in turns)
    assert all(len(turn["deltas"]) > 1 for turn in turns[:2])  # those that wait together are merged
    assert turns[0]["text"] == "word1 word2 word3 word4 word5"
    assert "".join(turns[2]["thoughts"]) == turns[2]["thinking"] == "Looking at what was asked."
    assert turns[4]["text"].startswith("I received 1 new item")
    assert [turn["incremental"] for turn in turns] == [False, True, True, True, True]
    assert [turn["listened"] for turn in turns] == [["request", "response"]] * 5
    read, cached, written, reasoning = turns[2]["usage"]
    assert read > cached > 0
    assert written > reasoning > 0
    cell(NAME, "stream")
    assert trunk.upstream.stats()["connections_total"] == 1


async def test_calls_side_by_side(hold, trunk, cell):
    [run, after] = await hold(("stream", "sim:tools(n=3, parallel=2)"), ("stream", "And now?"))
    assert sorted(run["results"]) == ["1.5 m", "2.5 m", "3.5 m"]  # the first two end in any order
    assert run["text"] == "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m"
    assert run["calls"] == [0, 1]
    assert after["text"].startswith("I received 1 new item")
    cell(NAME, "parallel_tools")
    assert [request["new_items"] for request in trunk.upstream.requests()] == [1, 2, 1, 1]
    assert run["usage"][0] > sum(request["known_items"] for request in trunk.upstream.requests()[:2])


async def test_calls_of_a_service_that_waits(hold, trunk):
    [run] = await hold(("block", "sim:tools(n=3, parallel=2)"))
    assert run["text"] == "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m"
    assert [bool(request["previous_response_id"]) for request in trunk.upstream.requests()] == [
        False,
        True,
        True,
    ]


async def test_a_search_goes_on(hold, trunk, cell):
    found, after = await hold(("stream", SEARCH), ("stream", "And now?"))
    assert found["text"] == "High tide is at six. [1]"
    assert {"Start", "ItemProgress"} == set(found["events"])
    assert after["text"].startswith("I received 1 new item")
    cell(NAME, "hosted_tool")
    assert [request["items"] for request in trunk.upstream.requests()] == [["message"], ["message"]]


async def test_a_search_goes_back_where_everything_is_sent(hold, trunk):
    await hold(("stream", SEARCH), ("other", "And now?"))
    search = ["reasoning", "web_search_call", "web_search_call", "reasoning", "web_search_call", "message"]
    _, everything = trunk.upstream.requests()
    assert everything["items"] == ["message", *search, "message"]


async def test_an_answer_that_is_a_record(hold, cell):
    turns = await hold(("tide", "The tide at six?"), ("tide", "And at seven?"))
    assert [set(turn["tide"]) for turn in turns] == [{"hour", "height"}] * 2
    cell(NAME, "structured")


async def test_an_answer_that_is_cancelled(hold, trunk, cell):
    turns = await hold(
        ("stream", "Hello."), ("cancel", "sim:slow(n=1000)"), ("stream", "Again."), ("stream", "Bye.")
    )
    assert len(turns[1]["deltas"]) == 1
    assert turns[1]["listened"] == ["request"]
    assert turns[3]["text"].endswith('You said: "Bye.".')
    cell(NAME, "cancel", full=2)  # the turn after a cancelled one goes in full
    finished = [request["finished"] for request in trunk.upstream.requests()]
    assert finished == ["completed", "aborted", "completed", "completed"]


LIMIT = "sim:fail(status=429, code=rate_limit_exceeded)"
REFUSAL = "sim:fail(status=400, code=dry, message=Out of tides.)"


@pytest.mark.parametrize("kind", ["stream", "block"])
async def test_an_error_before_content_is_the_frameworks_own(hold, trunk, cell, kind):
    turns = await hold((kind, "Hello."), (kind, LIMIT), (kind, "Bye."), (kind, "And now?"))
    assert (turns[1]["error"], turns[1]["reason"]) == ("RateLimitException", "RATE_LIMITED")
    assert turns[1]["listened"] == ["request", "error"]
    assert turns[3]["text"].startswith("I received 1 new item")
    assert len(trunk.upstream.requests()) == 4
    if kind == "stream":
        cell(NAME, "error_before", full=2)


async def test_an_error_that_no_retry_helps(hold):
    turns = await hold(("stream", REFUSAL), ("block", REFUSAL))
    assert [turn["error"] for turn in turns] == ["InvalidRequestException"] * 2
    assert all("Out of tides." in turn["message"] for turn in turns)


@pytest.mark.parametrize("how", ["sim:fail(at=content)", "sim:drop(at=content)"])
async def test_an_error_after_content_repeats_nothing(hold, trunk, cell, how):
    turns = await hold(("stream", "Hello."), ("stream", how), ("stream", "Bye."))
    assert "".join(turns[1]["deltas"]) == "Half of an answer, and then"
    assert turns[1]["error"] == "NonRetriableException"
    assert turns[1]["reason"] in ("UPSTREAM_ERROR", "CONNECTION_LOST")
    assert turns[2]["text"].endswith('You said: "Bye.".')
    cell(NAME, "error_after", full=2)
    assert len(trunk.upstream.requests()) == 3


async def test_the_readme_is_true(shell, trunk):
    pom, program = re.findall(
        r"^```(?:xml|java)\n(.*?)^```", (ADAPTER / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert "127.0.0.1:50051" in program
    (shell.home / "pom.xml").write_text(pom)
    source = shell.home / "src/main/java/Hello.java"
    source.parent.mkdir(parents=True)
    source.write_text(program.replace("127.0.0.1:50051", trunk.address))
    command = ("mvn", "--quiet", "compile", "exec:java", "-Dexec.mainClass=Hello")
    ended = await shell.run(*command, patience_s=MAVEN_S)
    assert ended.code == 0, ended.errors + "\n".join(ended.lines)
    said = re.findall(r'You said: "(.*?)"', "".join(ended.lines))
    assert said == ["How high is the tide at six?", "And at seven?"]
    incremental = [bool(request["previous_response_id"]) for request in trunk.upstream.requests()]
    assert incremental == [False, True]
