import dataclasses
import math
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.events import (
    Completed,
    ItemProgress,
    ReasoningDelta,
    ReasoningKind,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from service.domain.messages import Message, Role, TextPart, Transport
from service.domain.plan import ContextReason
from service.domain.report import LineState, SessionView, Timings, TransportReason, TurnReport, TurnView
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import session_pb2
from service.rpc.convert.responses import (
    MAX_MESSAGE_BYTES,
    MAX_PROGRESS_BYTES,
    complete_out,
    error_out,
    event_out,
    report_out,
    session_out,
    truncate,
)

REPORT = TurnReport(
    "turn_1",
    Transport.WEBSOCKET,
    TransportReason.PREFERRED,
    response_id="resp_1",
    incremental=True,
    context_reason=ContextReason.CONTINUED,
    attempts=2,
    connection_reused=True,
    timings=Timings(queue=0.001, connect=0, first_event=0.25, total=1.000000001),
    bytes_sent=10,
    bytes_saved=1000,
)
REPORT_OUT = {
    "response_id": "resp_1",
    "transport": "TRANSPORT_WEBSOCKET",
    "transport_reason": "preferred",
    "context": "CONTEXT_INCREMENTAL",
    "context_reason": "continued",
    "attempts": 2,
    "connection_reused": True,
    "timings": {
        "queue": {"nanos": 1_000_000},
        "connect": {},
        "first_event": {"nanos": 250_000_000},
        "total": {"seconds": 1, "nanos": 1},
    },
    "bytes_sent": 10,
    "bytes_saved": 1000,
}
USAGE = Usage(10, 4, 2, 5, 3, 15, '{"total_tokens": 15, "cost": 0.1}')
USAGE_OUT = {
    "input_tokens": 10,
    "cached_input_tokens": 4,
    "cache_write_tokens": 2,
    "output_tokens": 5,
    "reasoning_tokens": 3,
    "total_tokens": 15,
    "details_json": '{"total_tokens": 15, "cost": 0.1}',
}
ANSWER = Message(Role.ASSISTANT, (TextPart("yes", "final_answer"),))
ANSWER_OUT = {"role": "ROLE_ASSISTANT", "parts": [{"text": {"text": "yes", "phase": "final_answer"}}]}
COMPLETED = Completed(
    "resp_1",
    "gpt-1",
    1_700_000_000.5,
    ANSWER,
    StopReason.LENGTH,
    USAGE,
    continuable=False,
    service_tier="flex",
)
ENDED_OUT: dict[str, Any] = {
    "message": ANSWER_OUT,
    "stop_reason": "STOP_REASON_LENGTH",
    "usage": USAGE_OUT,
    "model": "gpt-1",
    "provider": "openai",
    "created_at": {"seconds": 1_700_000_000, "nanos": 500_000_000},
    "report": REPORT_OUT,
    "service_tier": "flex",
}


def report():
    return REPORT


def no_report():
    raise AssertionError("a delta has no report")


@pytest.mark.parametrize(
    ("event", "out"),
    [
        (TextDelta(1, "a"), {"text_delta": {"content_index": 1, "delta": "a"}}),
        (RefusalDelta(2, "no"), {"refusal_delta": {"content_index": 2, "delta": "no"}}),
        (
            ReasoningDelta(3, "so", ReasoningKind.TEXT),
            {"reasoning_delta": {"content_index": 3, "delta": "so", "kind": "REASONING_KIND_TEXT"}},
        ),
        (
            ToolCallDelta(4, "{", "c1", "look"),
            {
                "tool_call_delta": {
                    "content_index": 4,
                    "arguments_delta": "{",
                    "call_id": "c1",
                    "name": "look",
                }
            },
        ),
        (
            ItemProgress(5, "web_search_call", "response.web_search_call.searching", '{"a": 1}'),
            {
                "item_progress": {
                    "content_index": 5,
                    "item_type": "web_search_call",
                    "event_type": "response.web_search_call.searching",
                    "json": '{"a": 1}',
                }
            },
        ),
    ],
    ids=["text", "refusal", "reasoning", "tool call", "progress"],
)
def test_delta(event, out):
    assert event_out(event, 7, no_report) == pb.StreamCompletionResponse(sequence=7, **out)


@pytest.mark.parametrize(
    ("json", "kept"),
    [
        ("x" * MAX_PROGRESS_BYTES, True),
        ("x" * (MAX_PROGRESS_BYTES + 1), False),
        ("é" * (MAX_PROGRESS_BYTES // 2), True),
        ("é" * (MAX_PROGRESS_BYTES // 2 + 1), False),
    ],
    ids=["fits", "too long", "fits in UTF-8", "too long in UTF-8"],
)
def test_progress_always_fits_a_message(json, kept):
    name = "n" * 16 * 1024
    out = event_out(ItemProgress(2**31 - 1, name, name, json), 2**63 - 1, no_report)
    assert (out.item_progress.json == json) is kept
    assert out.item_progress.event_type == name
    assert out.ByteSize() <= MAX_MESSAGE_BYTES


def test_ignored_events_are_named_in_valid_text():
    ignored = (("response.new.event", 2), ("x" * 100, 3), ("half \ud800", 1))
    assert dict(report_out(dataclasses.replace(REPORT, ignored_events=ignored)).ignored_events) == {
        "response.new.event": 2,
        "x" * 63 + "…": 3,
        "half ?": 1,
    }


def test_start():
    assert event_out(Started("resp_1", "gpt-1"), 1, report) == pb.StreamCompletionResponse(
        sequence=1,
        start={
            "turn_id": "turn_1",
            "model": "gpt-1",
            "transport": "TRANSPORT_WEBSOCKET",
            "context": "CONTEXT_INCREMENTAL",
        },
    )


def test_the_end_is_the_same_with_and_without_a_stream():
    assert event_out(COMPLETED, 9, report) == pb.StreamCompletionResponse(sequence=9, done=ENDED_OUT)
    assert complete_out(COMPLETED, REPORT) == pb.CompleteResponse(**ENDED_OUT)
    assert pb.Done(**ENDED_OUT).SerializeToString() == pb.CompleteResponse(**ENDED_OUT).SerializeToString()


def test_an_unknown_time_is_not_set():
    event = dataclasses.replace(COMPLETED, created_at=0.0)
    assert not complete_out(event, REPORT).HasField("created_at")


@pytest.mark.parametrize(
    ("changes", "context"),
    [
        ({"incremental": False}, pb.CONTEXT_FULL),
        ({"incremental": False, "context_reason": None, "attempts": 0}, pb.CONTEXT_UNSPECIFIED),
    ],
)
def test_context(changes, context):
    assert report_out(dataclasses.replace(REPORT, **changes)).context == context


def test_error():
    failure = TurnError(
        Reason.RATE_LIMITED,
        "slow down",
        retry_after=2,
        upstream=UpstreamDetail("rate_limit_exceeded", "requests", 429, "req_1"),
    )
    assert error_out(failure, REPORT, USAGE, ANSWER) == pb.Error(
        reason="RATE_LIMITED",
        message="slow down",
        retryable=True,
        retry_after={"seconds": 2},
        upstream={"code": "rate_limit_exceeded", "type": "requests", "status": 429, "request_id": "req_1"},
        partial=ANSWER_OUT,
        usage=USAGE_OUT,
        report=REPORT_OUT,
    )


def test_an_error_that_knows_little():
    reported = error_out(TurnError(Reason.TIMEOUT, "x" * 1000), REPORT, None)
    assert (reported.reason, len(reported.message)) == ("TIMEOUT", 500)
    assert not any(reported.HasField(name) for name in ("retry_after", "upstream", "partial", "usage"))


@pytest.mark.parametrize("seconds", [math.inf, math.nan, -1, 1e300])
def test_an_invalid_retry_delay_is_clamped(seconds):
    reported = error_out(
        TurnError(Reason.RATE_LIMITED, "wait", retry_after=seconds), REPORT, None
    ).retry_after
    assert 0 <= reported.seconds <= 253_402_300_799


def test_session():
    view = SessionView("s", LineState.BUSY, 3, 2, 1000, 1.5, 2.5)
    assert session_out(view) == session_pb2.Session(
        session_id="s",
        live=True,
        line_state="LINE_STATE_BUSY",
        turns=3,
        incremental_turns=2,
        bytes_saved=1000,
        created_at={"seconds": 1, "nanos": 500_000_000},
        last_used_at={"seconds": 2, "nanos": 500_000_000},
    )


def test_the_turns_of_a_session():
    turns = (TurnView("t", "k", 2.0, attached=True, ended=False, last_sequence=7),)
    view = SessionView("s", LineState.NONE, 0, 0, 0, 1.0, 1.0, turns)
    assert list(session_out(view).running_turns) == [
        session_pb2.SessionTurn(
            turn_id="t", turn_key="k", started_at={"seconds": 2}, attached=True, last_sequence=7
        )
    ]


@pytest.mark.parametrize(
    ("text", "short"),
    [("", ""), ("abcd", "abcd"), ("abcde", "abc…"), ("😀😀😀😀😀", "😀😀😀…"), ("\ud83d", "?")],
)
def test_cut(text, short):
    assert truncate(text, 4) == short
