"""Answers of servers in use, as they are on the wire, and what they mean."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import (
    ReasoningDelta,
    ReasoningKind,
    Started,
    StopReason,
    TextDelta,
    ToolCallDelta,
)
from service.domain.messages import ReasoningPart, TextPart, ToolCallPart, ToolKind, UpstreamItemPart
from service.wire.response_decoder import ResponseDecoder

STREAMS = Path(__file__).parent / "streams"

SEARCH = UpstreamItemPart(
    "web_search_call",
    json.dumps(
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "query": "tides"},
        }
    ),
    "ws_1",
)
CITATION = {
    "type": "url_citation",
    "url": "https://tides.example/1",
    "title": "Tides",
    "start_index": 0,
    "end_index": 4,
}

ANSWERS = {
    "end_without_an_index": (
        [TextDelta(0, "High tide.")],
        (TextPart("High tide.", item_id="msg_1"),),
        StopReason.STOP,
    ),
    "search_with_citations": (
        [ReasoningDelta(0, "look it up"), TextDelta(2, "High tide at six.")],
        (
            ReasoningPart("rs_1", ("look it up",), "seal"),
            SEARCH,
            TextPart("High tide at six.", annotations_json=json.dumps([CITATION]), item_id="msg_1"),
        ),
        StopReason.STOP,
    ),
    "call_in_a_namespace": (
        [ToolCallDelta(0, "", "c1", "look"), ToolCallDelta(0, "{}", "c1", "look")],
        (ToolCallPart("c1", "look", "{}", item_id="fc_1", extra_json='{"namespace":"harbour"}'),),
        StopReason.TOOL_USE,
    ),
    "negative_count": ([TextDelta(0, "High.")], (TextPart("High.", item_id="msg_1"),), StopReason.STOP),
    "reasoning_in_clear": (
        [
            ReasoningDelta(0, "tides turn", ReasoningKind.TEXT),
            ToolCallDelta(1, "", "c1", "look"),
            ToolCallDelta(1, "{}", "c1", "look"),
        ],
        (ReasoningPart("rs_1", content=("tides turn",)), ToolCallPart("c1", "look", "{}", item_id="fc_1")),
        StopReason.TOOL_USE,
    ),
    "ids_that_rotate": (
        [TextDelta(0, "High tide.")],
        (TextPart("High tide.", item_id="a5"),),
        StopReason.STOP,
    ),
    "two_thoughts_of_one_id": (
        [ReasoningDelta(0, "first"), TextDelta(3, "High.")],
        (
            ReasoningPart("rs_1", ("first",), "seal-one"),
            SEARCH,
            ReasoningPart("rs_1", (), "seal-two"),
            TextPart("High.", item_id="msg_1"),
        ),
        StopReason.STOP,
    ),
    "custom_tool_call": (
        [ToolCallDelta(0, "", "c1", "sql"), ToolCallDelta(0, "select 1", "c1", "sql")],
        (ToolCallPart("c1", "sql", "select 1", ToolKind.CUSTOM, item_id="ctc_1"),),
        StopReason.TOOL_USE,
    ),
}
"""By the name of the stream: the deltas, the parts of the message, the reason to stop."""


def heard(name, *, shared):
    decoder = ResponseDecoder(continuing=False, shared=shared)
    events: list[Any] = []
    decoder.feed((STREAMS / f"{name}.jsonl").read_text().splitlines(), events)
    return events, decoder


@pytest.mark.parametrize("shared", [True, False], ids=["websocket", "sse"])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer(name, shared):
    deltas, parts, reason = ANSWERS[name]
    (started, *streamed, end), decoder = heard(name, shared=shared)
    assert isinstance(started, Started)
    assert streamed == deltas
    assert (end.message.parts, end.stop_reason, end.continuable) == (parts, reason, True)
    assert set(decoder.ignored) == ({"field:usage.output_tokens"} if name == "negative_count" else set())


def test_a_count_that_is_none_does_not_cost_the_others():
    usage = heard("negative_count", shared=True)[0][-1].usage
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (50, 0, 40)
    assert usage.total_tokens == 41
    assert json.loads(usage.details_json)["output_tokens"] == -9


def test_a_request_over_the_limit_fails():
    with pytest.raises(TurnError) as caught:
        heard("request_over_the_limit", shared=True)
    assert caught.value.reason is Reason.RATE_LIMITED


def test_each_stream_has_a_test():
    assert {path.stem for path in STREAMS.iterdir()} == {*ANSWERS, "request_over_the_limit"}
