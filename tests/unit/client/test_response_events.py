import json
from typing import Any

import pytest

from trunkline import (
    Done,
    ItemProgress,
    Message,
    Part,
    ReasoningDelta,
    RefusalDelta,
    Report,
    Start,
    TextDelta,
    ToolCallDelta,
    ToolCallPart,
    TrunklineError,
    Upstream,
    Usage,
    text,
    upstream_item,
)
from trunkline.gen.trunkline.v1.message_pb2 import (
    ROLE_ASSISTANT,
    TOOL_CALL_KIND_CUSTOM,
    ReasoningPart,
    RefusalPart,
    TextPart,
)
from trunkline.response_events import ResponseEvents, lasting_id, response_usage

START = Start("t", "m", "websocket", "full")


def done(*parts, stop_reason="stop", **fields):
    message = Message(role=ROLE_ASSISTANT, parts=parts)
    return Done(message, stop_reason, Usage(1, 0, 0, 2, 0, 3), "m-1", "p", None, Report("resp_1"), **fields)


def written(*events, tools=()):
    writer = ResponseEvents("m", placeholder_id="later", tools=tools)
    found = [one for event in events for one in writer.write(event)]
    assert [one["sequence_number"] for one in found] == list(range(len(found)))
    return found


def kinds(events):
    return [event["type"].removeprefix("response.") for event in events]


def test_a_text():
    part = Part(text=TextPart(text="Hi."), item_id="msg_1")
    events = written(START, TextDelta(0, "H"), TextDelta(0, "i."), done(part))
    assert kinds(events) == [
        "created",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    created, added, delta, end = events[0], events[1], events[3], events[-1]
    assert (created["response"]["id"], created["response"]["status"]) == ("later", "in_progress")
    assert (added["item"]["id"], added["item"]["type"]) == ("later", "message")
    assert (delta["item_id"], delta["output_index"], delta["delta"]) == ("later", 0, "H")
    assert (events[5]["item_id"], events[5]["text"]) == ("msg_1", "Hi.")
    response = end["response"]
    assert (response["id"], response["status"], response["model"]) == ("resp_1", "completed", "m-1")
    assert response["output"] == [events[-2]["item"]]
    assert response["usage"]["total_tokens"] == 3


def test_thoughts_refusals_and_calls():
    parts = [
        Part(reasoning=ReasoningPart(summary=["why"], encrypted_content="s"), item_id="rs_1"),
        Part(refusal=RefusalPart(text="no"), item_id="msg_1"),
        Part(tool_call=ToolCallPart(call_id="c1", name="f", arguments="{}"), item_id="fc_1"),
        Part(
            tool_call=ToolCallPart(call_id="c2", name="sql", arguments="x", kind=TOOL_CALL_KIND_CUSTOM),
            item_id="ct_1",
        ),
    ]
    events = written(
        ReasoningDelta(0, "why", "summary"),
        ReasoningDelta(0, "full", "text"),
        RefusalDelta(1, "no"),
        ToolCallDelta(2, "c1", "f", ""),
        ToolCallDelta(2, "c1", "f", "{}"),
        ToolCallDelta(3, "c2", "sql", "x"),
        done(*parts, stop_reason="tool_use"),
        tools=[{"type": "custom", "name": "sql"}],
    )
    assert kinds(events) == [
        "output_item.added",
        "reasoning_summary_text.delta",
        "reasoning_text.delta",
        "output_item.added",
        "content_part.added",
        "refusal.delta",
        "output_item.added",
        "function_call_arguments.delta",
        "output_item.added",
        "custom_tool_call_input.delta",
        "output_item.done",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "function_call_arguments.done",
        "output_item.done",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.done"] == [
        0,
        1,
        2,
        3,
    ]
    assert events[6]["item"]["arguments"] == ""
    assert events[8]["item"]["type"] == "custom_tool_call"


def test_what_the_upstream_says_of_an_item_that_grows():
    said: dict[str, Any] = {
        "type": "response.web_search_call.searching",
        "item_id": "ws_1",
        "output_index": 7,
        "new": 1,
    }
    item = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    events = written(
        ItemProgress(0, "web_search_call", said["type"], json.dumps(said)),
        ItemProgress(0, "web_search_call", "response.web_search_call.completed", ""),  # too large
        done(upstream_item(item)),
    )
    assert kinds(events)[:2] == ["output_item.added", "web_search_call.searching"]
    assert events[0]["item"] == {"id": "ws_1", "type": "web_search_call", "status": "in_progress"}
    assert (events[1]["output_index"], events[1]["new"]) == (0, 1)
    assert events[2]["item"] == item
    assert kinds(events)[2:] == ["output_item.done", "completed"]


@pytest.mark.parametrize(("servers", "label"), [(["a"], "a"), (["a", "b"], ""), ([], "")])
def test_an_item_is_announced_with_what_is_known_of_it(servers, label):
    said = {"type": "response.mcp_call.in_progress", "item_id": "mcp_1"}
    tools = [{"type": "mcp", "server_label": server} for server in servers]
    event, _ = written(ItemProgress(0, "mcp_call", said["type"], json.dumps(said)), tools=tools)
    assert event["item"]["id"] == "mcp_1"
    assert (event["item"]["server_label"], event["item"]["arguments"]) == (label, "")


def test_an_item_that_had_no_delta_is_added_before_it_is_done():
    assert kinds(written(done(text("A"))))[:1] == ["output_item.added"]


@pytest.mark.parametrize(
    ("stop_reason", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
def test_an_answer_that_was_cut_off(stop_reason, reason):
    (*_, end) = written(done(text("A"), stop_reason=stop_reason, service_tier="flex"))
    assert end["type"] == "response.incomplete"
    assert (end["response"]["status"], end["response"]["service_tier"]) == ("incomplete", "flex")
    assert end["response"]["incomplete_details"] == {"reason": reason}


def test_a_response_that_failed():
    writer = ResponseEvents("m", placeholder_id="later")
    error = TrunklineError(
        "UPSTREAM_ERROR", "no", upstream=Upstream(code="server_error"), usage=Usage(1, 0, 0, 2, 0, 3)
    )
    events = [*writer.write(START), *writer.write(TextDelta(0, "A")), writer.fail(error)]
    end = events[-1]
    assert (end["type"], end["sequence_number"]) == ("response.failed", len(events) - 1)
    assert end["response"]["error"] == {"code": "server_error", "message": "UPSTREAM_ERROR: no"}
    assert end["response"]["usage"]["total_tokens"] == 3
    assert writer.fail(TrunklineError("TIMEOUT", ""))["response"]["error"]["code"] == "TIMEOUT"


def test_placeholders_that_last():
    part, search = Part(text=TextPart(text="A"), item_id="msg_1"), upstream_item({"type": "x", "id": "x_1"})
    writer = ResponseEvents("m", placeholder_id="r", lasting=True)
    events = [*writer.write(TextDelta(0, "A")), *writer.write(done(part, search))]
    assert [event["item"]["id"] for event in events if "item" in event] == ["r_0", "r_0", "x_1", "x_1"]
    assert {event["item_id"] for event in events if "item_id" in event} == {"r_0"} == {lasting_id("r", 0)}
    assert [item["id"] for item in events[-1]["response"]["output"]] == ["r_0", "x_1"]


def test_usage_keeps_what_the_upstream_wrote():
    wrote = {"input_tokens": 5, "input_tokens_details": {"audio": 1}, "output_tokens_details": None, "new": 1}
    usage = Usage(5, 3, 2, 7, 4, 12, json.dumps(wrote))
    assert response_usage(usage) == {
        "input_tokens": 5,
        "input_tokens_details": {"audio": 1, "cached_tokens": 3, "cache_write_tokens": 2},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 12,
        "new": 1,
    }
