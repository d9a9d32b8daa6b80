from dataclasses import replace
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.events import StopReason
from service.domain.messages import (
    CompletionRequest,
    Message,
    Options,
    ReasoningPart,
    RefusalPart,
    Role,
    TextFormat,
    TextPart,
    Tool,
    ToolCallPart,
    ToolKind,
    Transport,
    UpstreamItemPart,
)
from service.domain.plan import ContextReason
from service.domain.report import TransportReason, TurnReport
from service.telemetry import attributes, names
from service.telemetry.bounds import SHOWN_CHARACTERS
from tests.turn_records import COMPLETED

SECRET = CompletionRequest("s", "gpt-1", (Message(Role.USER, (TextPart("s3cret"),)),), instructions="s3cret")


def test_nothing_said_is_among_the_attributes_of_a_request():
    shown = attributes.of_operation(SECRET.model) | attributes.of_request(SECRET)
    assert "s3cret" not in str(shown)
    assert shown[names.CONVERSATION] == "s"


def test_only_options_that_are_set_are_shown():
    request = CompletionRequest("s", "gpt-1", (), options=Options(temperature=0.0))
    shown = attributes.of_request(request)
    assert shown[names.REQUEST_TEMPERATURE] == 0.0
    assert names.REQUEST_TOP_P not in shown


@pytest.mark.parametrize(
    ("kind", "output"), [("text", "text"), ("json_object", "json"), ("json_schema", "json")]
)
def test_every_json_format_is_json_output(kind, output):
    request = CompletionRequest("s", "gpt-1", (), options=Options(text_format=TextFormat(kind)))
    assert attributes.of_request(request)[names.OUTPUT_TYPE] == output


def test_a_request_shows_the_types_of_its_tools_once_and_no_names():
    web = Tool(definition_json='{"type":"web_search"}', type="web_search")
    tools = (Tool("s3cret"), web, Tool("other"), web)
    shown = attributes.of_request(CompletionRequest("s", "m", (), tools=tools))
    assert shown[names.REQUEST_TOOLS] == ("function", "web_search")
    assert names.REQUEST_TOOLS not in attributes.of_request(SECRET)


def test_an_answer_shows_the_types_of_its_items():
    parts = (
        ReasoningPart("rs_1"),
        UpstreamItemPart("web_search_call", "{}"),
        ToolCallPart("c1", "f", "{}"),
        ToolCallPart("c2", "g", "", ToolKind.CUSTOM),
        TextPart("s3cret"),
        RefusalPart("s3cret"),
    )
    completed = replace(COMPLETED, message=Message(Role.ASSISTANT, parts), service_tier="flex")
    shown = attributes.of_answer(completed)
    assert shown[names.RESPONSE_ITEMS] == (
        "reasoning",
        "web_search_call",
        "function_call",
        "custom_tool_call",
        "message",
    )
    assert shown[names.OPENAI_TIER_USED] == "flex"


def test_an_answer_of_many_types_shows_the_first():
    parts = tuple(UpstreamItemPart(f"{number}" + "x" * 1000, "{}") for number in range(100))
    shown = attributes.of_answer(replace(COMPLETED, message=Message(Role.ASSISTANT, parts)))
    items: Any = shown[names.RESPONSE_ITEMS]
    assert len(items) == attributes.MAX_TYPES
    assert max(map(len, items)) == SHOWN_CHARACTERS


def test_a_report_of_nothing_sent_has_no_context():
    report = TurnReport("t", Transport.SSE, TransportReason.REQUESTED)
    assert names.CONTEXT not in attributes.of_report(report)


def test_a_report_says_whether_the_turn_was_incremental():
    report = TurnReport(
        "t",
        Transport.WEBSOCKET,
        TransportReason.PREFERRED,
        incremental=True,
        context_reason=ContextReason.CONTINUED,
    )
    shown = attributes.of_report(report)
    assert (shown[names.CONTEXT], shown[names.CONTEXT_REASON]) == ("incremental", "continued")


def test_every_stop_reason_has_its_finish_reason():
    assert set(attributes.FINISH_REASONS) == set(StopReason)


def test_a_failure_shows_codes_and_never_its_text():
    detail = UpstreamDetail(code="c", status=500)
    error = TurnError(Reason.UPSTREAM_ERROR, "s3cret", upstream=detail)
    shown = attributes.of_failure("UPSTREAM_ERROR", error)
    assert shown == {
        names.ERROR_TYPE: "UPSTREAM_ERROR",
        names.UPSTREAM_CODE: "c",
        names.UPSTREAM_STATUS: 500,
    }


def test_a_long_text_is_truncated_and_content_less_so():
    said: attributes.Attributes = {
        "name": "x" * 300,
        names.INPUT_MESSAGES: "x" * 40_000,
        "number": 1,
        "short": "y",
    }
    shown = attributes.bounded(said)
    assert {name: len(str(value)) for name, value in shown.items()} == {
        "name": 256,
        names.INPUT_MESSAGES: 32_768,
        "number": 1,
        "short": 1,
    }
    assert str(shown["name"]).endswith("…")
    assert attributes.bounded({"short": "y"}) == {"short": "y"}
