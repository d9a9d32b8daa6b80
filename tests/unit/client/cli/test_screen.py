import json

import pytest

from tests.unit.client.cli.fakes import Recorded, Tty
from trunkline import (
    Done,
    ItemProgress,
    Message,
    ReasoningDelta,
    RefusalDelta,
    Report,
    Start,
    TextDelta,
    ToolCallDelta,
    TrunklineError,
    Usage,
    action_result,
    assistant,
    tool_result,
    upstream_item,
)
from trunkline.cli.screen import Records, Screen
from trunkline.cli.words import report_line
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, Part, ToolCallPart

START = Start("t", "m", "websocket", "full")


def end(message=None, stop_reason="stop"):
    return Done(message or assistant("x"), stop_reason, Usage(), "m", "p", None, Report())


def shown(*events, tty=False):
    terminal = Recorded(Tty() if tty else None)
    screen = Screen(terminal, "a:1")
    for event in events:
        screen.event(event)
    return terminal.text


def test_parts_stand_on_lines_of_their_own():
    said = shown(
        START,
        ReasoningDelta(0, "Let me", "summary"),
        ReasoningDelta(0, " see.", "summary"),
        TextDelta(1, "One "),
        TextDelta(1, "answer.\n"),
        TextDelta(2, "Another."),
        ToolCallDelta(3, "c1", "look", ""),
        ToolCallDelta(3, "c1", "look", '{"a":'),
        ToolCallDelta(3, "c1", "look", "1}"),
        ToolCallDelta(4, "c2", "look", "{}"),
        RefusalDelta(5, "No."),
    )
    assert said.splitlines() == [
        "Let me see.",
        "One answer.",
        "Another.",
        '→ look {"a":1}',
        "→ look {}",
        "No.",
    ]


def test_reasoning_is_dim_and_text_is_plain(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    said = shown(START, ReasoningDelta(0, "hm", "text"), TextDelta(1, "yes\n"), tty=True)
    assert said == "\033[2mhm\033[0m\nyes\n"


def test_the_report_ends_a_turn():
    assert shown(START, TextDelta(0, "x"), end()) == f"x\n{report_line(end())}\n"


@pytest.mark.parametrize("stop_reason", ["length", "content_filter", "tool_use"])
def test_an_end_that_is_none_says_so(stop_reason):
    assert len(shown(START, TextDelta(0, "x"), end(stop_reason=stop_reason)).splitlines()) == 3


def test_a_turn_that_waits_for_its_tools_is_no_trouble():
    calls = Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=ToolCallPart(call_id="c", name="f"))])
    assert len(shown(START, end(calls, "tool_use")).splitlines()) == 1


SEARCH = upstream_item({"type": "web_search_call", "id": "ws_1", "action": {"query": "trunk"}})
APPROVAL = upstream_item({"type": "mcp_approval_request", "id": "a", "server_label": "shop", "name": "buy"})


def test_a_search_with_its_citations():
    said = assistant(SEARCH, "Found.")
    said.parts[1].text.annotations_json = '[{"type": "url_citation", "title": "T", "url": "https://a"}]'
    searching = ItemProgress(0, "web_search_call", "response.web_search_call.searching", "{}")
    shown_lines = shown(START, searching, searching, TextDelta(1, "Found."), end(said)).splitlines()
    assert shown_lines[:-1] == [
        "* web search: searching …",
        "Found.",
        "* web search: trunk",
        "[1] T https://a",
    ]


def test_what_the_model_waits_for():
    ended = end(assistant(SEARCH, APPROVAL), "action_required")
    assert shown(START, ended).splitlines()[1] == "* mcp approval request: shop.buy"
    terminal = Recorded()
    Screen(terminal, "a:1").unanswered(ended)
    assert terminal.text == (
        "It waits for what nobody here does: mcp approval request. This turn is not kept.\n"
    )
    Records(terminal).unanswered(ended)
    Screen(terminal, "a:1").results(action_result(APPROVAL))
    assert len(terminal.text.splitlines()) == 1


def test_results_of_tools():
    terminal = Recorded()
    screen = Screen(terminal, "a:1")
    for result in (tool_result("c", "found"), tool_result("c"), tool_result("c", "x" * 500)):
        screen.results(result)
    assert terminal.text.splitlines() == ["← found", "← nothing", "← " + "x" * 200 + "…"]


def test_an_error_and_a_stop():
    terminal = Recorded()
    screen = Screen(terminal, "a:1")
    screen.event(TextDelta(0, "Half"))
    screen.error(TrunklineError("UPSTREAM_ERROR", "it broke"))
    screen.event(TextDelta(0, "Hal"))
    screen.stopped()
    assert terminal.text.splitlines() == [
        "Half",
        "UPSTREAM_ERROR: it broke",
        "  Not retryable: the same request would fail again.",
        "Hal",
        "Stopped. This turn is not kept.",
    ]


def test_records():
    terminal = Recorded()
    records = Records(terminal)
    records.event(START)
    records.results(tool_result("c", "found"))
    records.error(TrunklineError("UPSTREAM_ERROR", "it broke"))
    records.stopped()
    kinds = [json.loads(line)["type"] for line in terminal.text.splitlines()]
    assert kinds == ["start", "tool_results", "error", "stopped"]
