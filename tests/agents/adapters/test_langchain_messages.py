"""Messages, answers and errors of LangChain's chat model: what callers give, and what they get."""

from functools import partial

import pytest

from tests.agents.adapters import programs

pytestmark = pytest.mark.agents


@pytest.fixture
def show(shell, trunk):
    return partial(programs.play, shell, trunk, "langchain_messages.py")


async def test_structured_output_by_hand(show):
    whole, called, plain, raw, refused, loose = await show("formats")
    assert whole == called == {"value": raw["value"]}
    assert plain == {"value": {"hour": 1}}
    assert raw["raw"].startswith('{"first"')
    assert refused["refused"].endswith("I will not.")
    assert loose["error"].startswith("the output, heights: an object of any keys has no strict schema")


async def test_what_the_model_says_goes_back_as_it_came(show):
    runs = await show("lossless")
    assert len(runs) > 30
    assert [run for run in runs if run["lost"]] == []


async def test_a_call_that_is_cut_off_is_not_made(show):
    whole, streamed = await show("cut")
    assert whole == {"calls": 0}
    assert streamed["error"] == "INVALID_OUTPUT: the answer ends (length) within part 1, a tool call"
    assert not streamed["again"]


async def test_what_callers_give(show):
    read, edited, *errors = await show("given")
    assert read == {
        "instructions": "Be brief.",
        "kinds": [
            ["text", "image", "image", "file", "text"],
            ["text", "tool_call"],
            ["tool_result"],
            ["text"],
        ],
        "arguments": '{"hour": 6}',
        "failed": True,
    }
    assert edited == {"edited": '{"hour": 7}'}
    assert [error["error"].partition(":")[0] for error in errors] == [
        "messages[0]",
        "stop",
        "response_format",
        "unknown option",
    ]


async def test_one_model_in_several_loops(show):
    runs = await show("loops")
    assert [run["text"] for run in runs] == ["I received"] * 4
    assert runs[-1]["clients"] == 1


async def test_every_error_is_one_of_the_frameworks(show):
    assert await show("classes") == [{"missing": []}]
