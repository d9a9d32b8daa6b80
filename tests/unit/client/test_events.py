from dataclasses import FrozenInstanceError, fields
from datetime import UTC, datetime

import pytest

import trunkline
from trunkline import (
    Done,
    ItemProgress,
    ReasoningDelta,
    RefusalDelta,
    Report,
    Start,
    TextDelta,
    Timings,
    ToolCallDelta,
    Usage,
)
from trunkline.events import done_from, event_from
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1 import message_pb2, session_pb2
from trunkline.reports import enum_word, report_from, usage_from
from trunkline.sessions import page_from, session_from


@pytest.mark.parametrize(
    ("message", "event"),
    [
        (
            {"start": pb.Start(turn_id="t", model="m", transport=pb.TRANSPORT_SSE, context=pb.CONTEXT_FULL)},
            Start("t", "m", "sse", "full"),
        ),
        ({"text_delta": pb.TextDelta(content_index=1, delta="a")}, TextDelta(1, "a")),
        (
            {"reasoning_delta": pb.ReasoningDelta(delta="a", kind=pb.REASONING_KIND_SUMMARY)},
            ReasoningDelta(0, "a", "summary"),
        ),
        ({"refusal_delta": pb.RefusalDelta(delta="a")}, RefusalDelta(0, "a")),
        (
            {
                "tool_call_delta": pb.ToolCallDelta(
                    content_index=2, call_id="c", name="f", arguments_delta="{"
                )
            },
            ToolCallDelta(2, "c", "f", "{"),
        ),
        (
            {
                "item_progress": pb.ItemProgress(
                    content_index=1, item_type="web_search_call", event_type="response.x", json="{}"
                )
            },
            ItemProgress(1, "web_search_call", "response.x", "{}"),
        ),
        ({}, None),
    ],
)
def test_reading(message, event):
    assert event_from(pb.StreamCompletionResponse(sequence=1, **message)) == event
    assert event is None or event.kind in message


def test_an_event_kind_of_a_newer_service_is_no_event():
    unknown_field_12 = b"\x62\x03new"
    assert event_from(pb.StreamCompletionResponse.FromString(unknown_field_12)) is None
    assert event_from(pb.StreamCompletionResponse(heartbeat=pb.Heartbeat())) is None


def test_events_are_frozen():
    with pytest.raises(FrozenInstanceError):
        TextDelta(0, "a").delta = "b"  # type: ignore[misc]


def full_done(kind):
    done = kind(
        message=trunkline.assistant("hello"),
        stop_reason=pb.STOP_REASON_TOOL_USE,
        usage=pb.Usage(input_tokens=3, total_tokens=5),
        model="m",
        provider="openai",
        report=pb.TurnReport(transport=pb.TRANSPORT_WEBSOCKET, context=pb.CONTEXT_INCREMENTAL, attempts=1),
        service_tier="flex",
    )
    done.created_at.FromSeconds(60)
    done.report.timings.first_content.FromMilliseconds(1500)
    return done


@pytest.mark.parametrize("kind", [pb.Done, pb.CompleteResponse])
def test_done_is_the_same_from_both_calls(kind):
    done = done_from(full_done(kind))
    assert done == Done(
        message=trunkline.assistant("hello"),
        stop_reason="tool_use",
        usage=Usage(input_tokens=3, total_tokens=5),
        model="m",
        provider="openai",
        created_at=datetime(1970, 1, 1, 0, 1, tzinfo=UTC),
        report=Report(
            transport="websocket", context="incremental", attempts=1, timings=Timings(first_content=1.5)
        ),
        service_tier="flex",
    )
    assert done.report.incremental
    assert (done.text, done.refusal, done.tool_calls) == ("hello", "", ())


def test_actions_are_only_those_of_an_answer_that_waits():
    shell = trunkline.upstream_item({"type": "shell_call", "call_id": "c1"})
    done = done_from(pb.Done(message=trunkline.assistant(shell), stop_reason=pb.STOP_REASON_ACTION_REQUIRED))
    assert (done.stop_reason, done.actions) == ("action_required", (shell.upstream_item,))
    done = done_from(pb.Done(message=trunkline.assistant(shell), stop_reason=pb.STOP_REASON_LENGTH))
    assert (done.upstream_items, done.actions) == ((shell.upstream_item,), ())


def test_what_the_upstream_added_to_the_text():
    part = message_pb2.TextPart(text="a", annotations_json='[{"url": "u"}]', logprobs_json='[{"token": "a"}]')
    done = done_from(pb.Done(message=message_pb2.Message(parts=[message_pb2.Part(text=part)])))
    assert (done.annotations, done.logprobs) == (({"url": "u"},), ({"token": "a"},))


def test_what_was_not_reported_is_none():
    done = done_from(pb.Done())
    assert (done.created_at, done.stop_reason, done.report.transport) == (None, "", "")
    assert done.report.timings == Timings()


def test_a_value_of_a_newer_service_comes_through():
    assert enum_word(pb.Transport, "TRANSPORT_", 77) == "77"


@pytest.mark.parametrize(
    ("value", "message"), [(Usage, pb.Usage), (Report, pb.TurnReport), (Timings, pb.Timings)]
)
def test_no_field_is_forgotten(value, message):
    assert [field.name for field in fields(value)] == list(message.DESCRIPTOR.fields_by_name)


def test_numbers_of_usage_and_report():
    usage = usage_from(
        pb.Usage(
            input_tokens=1,
            cached_input_tokens=2,
            cache_write_tokens=3,
            output_tokens=4,
            reasoning_tokens=5,
            total_tokens=6,
            details_json="{}",
        )
    )
    assert usage == Usage(1, 2, 3, 4, 5, 6, "{}")
    report = report_from(
        pb.TurnReport(
            response_id="r",
            bytes_sent=7,
            bytes_saved=9,
            connection_reused=True,
            ignored_events={"new": 2},
            attached=True,
            upstream="azure",
            upstream_reason="cooldown",
        )
    )
    assert (report.response_id, report.bytes_sent, report.bytes_saved) == ("r", 7, 9)
    assert report.connection_reused
    assert report.attached
    assert (report.upstream, report.upstream_reason) == ("azure", "cooldown")
    assert not report.incremental
    assert report.ignored_events == {"new": 2}


def test_the_index_of_a_delta_is_the_index_of_the_part():
    message = message_pb2.Message(parts=[trunkline.text("a"), trunkline.text("b")])
    assert message.parts[TextDelta(1, "b").content_index].text.text == "b"


def test_sessions():
    message = session_pb2.Session(session_id="s", live=True, line_state=session_pb2.LINE_STATE_IDLE, turns=3)
    message.created_at.FromSeconds(1)
    session = session_from(message)
    assert (session.session_id, session.live, session.line_state, session.turns) == ("s", True, "idle", 3)
    assert session.created_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert session.last_used_at is None
    page = page_from(
        session_pb2.ListSessionsResponse(sessions=[message], next_page_token="n", replica="blue")
    )
    assert (page.sessions, page.next_page_token, page.replica) == ((session,), "n", "blue")
