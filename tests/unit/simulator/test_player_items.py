"""What a player writes besides plain messages: items of other types, citations, log probabilities."""

from typing import Any

from simulator import response
from simulator.ids import Ids
from simulator.player import Player
from simulator.response import Prompt
from simulator.scripts import Item, Pace, Progress, Say, Script, Stream


def play(*steps, include=(), **body) -> list[Any]:
    opened = response.opened({"model": "m", **body}, "resp_1", 1000)
    return list(
        Player(opened, Prompt(10, 4), Ids(""), Pace(), include=include, now=1001).play(Script(*steps))
    )


def kinds(acts) -> list[str]:
    return [act["type"].removeprefix("response.") for act in acts]


CITATION = {
    "type": "url_citation",
    "url": "https://a.example",
    "title": "A",
    "start_index": 0,
    "end_index": 2,
}
CUSTOM = Item(
    "custom_tool_call",
    "ctc",
    {"name": "sql", "input": "select 1"},
    begun={"input": ""},
    events=(Stream("response.custom_tool_call_input", "input", "select 1"),),
    called=True,
)
SEARCH = Item(
    "web_search_call",
    "ws",
    {"status": "completed", "action": {"type": "search", "query": "tides"}},
    begun={"status": "in_progress"},
    events=(Progress("response.web_search_call.searching"),),
)


def test_an_item_of_another_type_has_events_of_its_own():
    added, searching, done = play(SEARCH)[2:-1]
    assert added["item"]["status"] == "in_progress"
    assert searching == {
        "type": "response.web_search_call.searching",
        "item_id": "ws_000000000001",
        "output_index": 0,
        "sequence_number": 3,
    }
    assert done["item"] == {
        "id": "ws_000000000001",
        "type": "web_search_call",
        "status": "completed",
        "action": {"type": "search", "query": "tides"},
    }


def test_the_text_of_an_item_is_streamed():
    acts = play(CUSTOM)
    assert kinds(acts)[2:] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    assert acts[2]["item"]["input"] == ""
    assert [act.get("delta") or act.get("input") for act in acts[3:6]] == ["select ", "1", "select 1"]
    assert acts[6]["item"]["call_id"] == "call_000000000001"


def test_the_token_limit_cuts_the_text_of_an_item():
    long = Item(
        "custom_tool_call", "ctc", {"input": "x" * 100}, {"input": ""}, (Stream("e", "input", "x" * 100),)
    )
    ended = play(long, max_output_tokens=16)[-1]["response"]
    assert (ended["status"], ended["output"][0]["input"]) == ("incomplete", "x" * 64)


def test_a_citation_is_announced_and_part_of_the_message():
    acts = play(Say("Hi.", citations=(CITATION,)))
    announced = acts[kinds(acts).index("output_text.annotation.added")]
    assert (announced["annotation_index"], announced["annotation"]) == (0, CITATION)
    assert acts[-1]["response"]["output"][0]["content"][0]["annotations"] == [CITATION]


def test_log_probabilities_where_they_are_included():
    acts = play(Say("Hi you."), include=["message.output_text.logprobs"])
    deltas = [act for act in acts if act["type"] == "response.output_text.delta"]
    assert [token["token"] for act in deltas for token in act["logprobs"]] == ["Hi ", "you."]
    part = acts[-1]["response"]["output"][0]["content"][0]
    assert [token["bytes"] for token in part["logprobs"]] == [[72, 105, 32], [121, 111, 117, 46]]
