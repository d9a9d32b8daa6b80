import json
from datetime import UTC, datetime

import grpc

from tests.unit.client.cli.fakes import session
from trunkline import (
    Done,
    ReasoningDelta,
    Report,
    RunningTurn,
    Session,
    TextDelta,
    TrunklineError,
    Upstream,
    Usage,
    Violation,
    assistant,
    tool_result,
)
from trunkline.cli.records import error_record, event_record, session_record, tool_results_record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_deltas():
    assert event_record(TextDelta(0, "a")) == {"type": "text_delta", "content_index": 0, "delta": "a"}
    assert event_record(ReasoningDelta(1, "b", "summary"))["of"] == "summary"


def test_the_end():
    record = event_record(Done(assistant("Hi."), "stop", Usage(input_tokens=3), "m", "p", NOON, Report()))
    assert (record["type"], record["text"], record["stop_reason"]) == ("done", "Hi.", "stop")
    assert (record["service_tier"], record["continuation"]) == ("", "")
    assert (record["usage"]["input_tokens"], record["report"]["bytes_sent"]) == (3, 0)
    assert record["created_at"] == "2026-01-01T12:00:00+00:00"
    assert record["message"] == {"role": "ROLE_ASSISTANT", "parts": [{"text": {"text": "Hi."}}]}
    assert json.loads(json.dumps(record)) == record


def test_what_tools_returned():
    record = tool_results_record(tool_result("c", "found"))
    assert record["message"]["parts"][0]["tool_result"]["call_id"] == "c"


def test_a_session_and_where_it_is():
    record = session_record(session("s1", turns=2), address="a:1", replica="blue")
    assert (record["type"], record["replica"], record["turns"], record["last_used_at"]) == (
        "session",
        "blue",
        2,
        None,
    )
    running = RunningTurn("t1", "k1", NOON, True, False, 3)
    record = session_record(Session("s", True, "idle", 0, 0, 0, NOON, NOON, (running,)))
    assert record["running_turns"] == [
        {
            "turn_id": "t1",
            "turn_key": "k1",
            "started_at": "2026-01-01T12:00:00+00:00",
            "attached": True,
            "ended": False,
            "last_sequence": 3,
        }
    ]
    assert json.loads(json.dumps(record)) == record
    assert record["last_used_at"] == "2026-01-01T12:00:00+00:00"


def test_an_error():
    failed = TrunklineError(
        "UPSTREAM_ERROR",
        "it broke",
        status=grpc.StatusCode.INTERNAL,
        sent=True,
        partial=assistant("Half"),
        upstream=Upstream(code="server_error"),
        usage=Usage(),
        report=Report(),
        violations=(Violation("f", "d"),),
    )
    record = error_record(failed, address="a:1")
    assert (record["type"], record["address"], record["status"]) == ("error", "a:1", "INTERNAL")
    assert record["partial"]["parts"] == [{"text": {"text": "Half"}}]
    assert record["upstream"]["code"] == "server_error"
    assert record["violations"] == [{"field": "f", "description": "d"}]
    assert json.loads(json.dumps(record)) == record
    bare = error_record(TrunklineError("UNAVAILABLE", ""))
    assert [bare[key] for key in ("partial", "upstream", "usage", "report", "sent")] == [None] * 5
