"""Test that a finished turn is published as its record says, after its call and not before."""

import asyncio
import gc
import weakref
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    get_current_span,
)

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.report import Peer
from service.telemetry import names
from service.telemetry.calls import Call
from service.telemetry.otel_env import Capture
from service.telemetry.telemetry import OFF
from service.telemetry.turn_publisher import TurnTrace
from tests.turn_records import (
    BEGAN_S,
    LOST,
    OVER_HTTP,
    WALL_S,
    Response,
    a_record,
    admit,
    answered,
    attempt,
    lease,
)
from tests.watching import watching

CHAT = "chat gpt-1"
DIAL = SpanContext(1, 2, False, TraceFlags(TraceFlags.SAMPLED))


def a_call(telemetry):
    return Call(telemetry, {names.RPC_METHOD: "a.B/C"}, {}, INVALID_SPAN_CONTEXT)


def publish(seen, record, error=None, call=None):
    """End the turn with this error, and its call."""
    with suppress(type(error)) if error else nullcontext(), TurnTrace(seen.telemetry, call, record):
        if error is not None:
            raise error
    if call is not None:
        call.end("OK")


def events_of(span):
    return [event.name for event in span.events]


def test_a_turn_is_published_when_its_call_is_over():
    with watching() as seen:
        call = a_call(seen.telemetry)
        with TurnTrace(seen.telemetry, call, answered()):
            pass
        assert (seen.spans, seen.points(names.TURNS)) == ([], {})
        call.end("OK")
        assert [span.name for span in seen.spans if span.parent] == [names.SPAN_ACQUIRE, CHAT]
        server = seen.one("a.B/C")
        assert all(span.parent == server.context for span in seen.spans if span is not server)
        assert seen.count(names.TURNS, ending="OK") == 1
    assert server.attributes[names.ENDING] == "OK"
    assert (server.attributes[names.CONVERSATION], server.attributes[names.TENANT]) == ("s", "one")
    assert (server.attributes[names.TURN_ID], server.attributes[names.ATTEMPTS]) == ("t1", 1)


def test_spans_have_the_times_of_the_record():
    with watching() as seen:
        record: Any = answered()
        publish(seen, record)
        acquire, chat = seen.spans
    at = {event.name: event.timestamp for span in (acquire, chat) for event in span.events}
    first, second = record.phases
    expected = {
        acquire.start_time: first.began,
        at[names.EVENT_ADMITTED]: first.admitted_at,
        at[names.EVENT_LEASED]: first.leased_at,
        acquire.end_time: first.ended,
        chat.start_time: second.began,
        at[names.EVENT_SENT]: second.sent_at,
        at[names.EVENT_CREATED]: second.created_at,
        at[names.EVENT_FIRST_CONTENT]: second.first_content_at,
        at[names.EVENT_TERMINAL]: second.ended,
        chat.end_time: second.ended,
    }
    for shown, recorded in expected.items():
        assert shown == pytest.approx((WALL_S + recorded - BEGAN_S) * 1e9, abs=1000)
    assert acquire.end_time == chat.start_time


def test_an_acquisition_links_to_the_dial_of_its_connection():
    with watching() as seen:
        publish(seen, answered(dial=DIAL))
        acquire = seen.one(names.SPAN_ACQUIRE)
    assert [link.context for link in acquire.links] == [DIAL]
    assert acquire.kind is SpanKind.INTERNAL
    assert acquire.attributes[names.QUEUE_S] == pytest.approx(0.1)
    assert [event.attributes.get(names.REUSED) for event in acquire.events] == [None, False]


def test_an_attempt_shows_request_report_answer_and_tokens():
    response = Response(ignored={"z": 1, "gap": 2})
    record = a_record()
    record.sent_to(Peer("azure", "host", 443))
    attempt(lease(admit(record)), response)
    with watching() as seen:
        publish(seen, record)
        chat = seen.one(CHAT)
    assert chat.kind is SpanKind.CLIENT
    assert events_of(chat) == [
        names.EVENT_SENT,
        names.EVENT_CREATED,
        names.EVENT_FIRST_CONTENT,
        names.EVENT_TERMINAL,
    ]
    shown = chat.attributes
    assert (shown[names.SERVER_ADDRESS], shown[names.SERVER_PORT], shown[names.ATTEMPT]) == ("host", 443, 1)
    assert shown[names.UPSTREAM] == "azure"
    assert (shown[names.RESPONSE_ID], shown[names.INPUT_TOKENS]) == ("resp_1", 5)
    assert shown[names.IGNORED_EVENTS] == ("gap", "z")
    assert shown[names.CONTEXT_REASON] == "first_turn"
    assert 0 < shown[names.TIME_TO_FIRST_CHUNK] < 1


def test_a_failed_attempt_is_red_and_its_replay_is_not():
    record = attempt(lease(admit(a_record())), content=False)
    record.failed(TurnError(Reason.CONNECTION_LOST, "s3cret", upstream=UpstreamDetail(status=1006)))
    with watching() as seen:
        publish(seen, answered(record))
        names_of = [span.name for span in seen.spans]
        lost, replay = seen.named(CHAT)
        assert not any("s3cret" in span.to_json() for span in seen.spans)
    assert names_of == [names.SPAN_ACQUIRE, CHAT, names.SPAN_ACQUIRE, CHAT]
    assert (lost.status.status_code, replay.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert lost.attributes[names.ERROR_TYPE] == "CONNECTION_LOST"
    assert lost.attributes[names.UPSTREAM_STATUS] == 1006
    assert [span.attributes[names.ATTEMPT] for span in (lost, replay)] == [1, 2]
    assert lost.events[-1].attributes == {names.ENDING: "CONNECTION_LOST"}
    assert replay.events[-1].attributes == {names.ENDING: "OK"}


def test_what_follows_a_whole_answer_does_not_change_its_ending():
    with watching() as seen:
        publish(seen, answered(), LOST)
        chat = seen.one(CHAT)
        assert seen.count(names.TURNS, ending="OK") == 1
    assert chat.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (TurnError(Reason.TIMEOUT, "s3cret"), "TIMEOUT"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ValueError("s3cret"), "INTERNAL"),
        (None, "CANCELLED"),
    ],
)
@pytest.mark.parametrize("begun", [False, True], ids=["no attempt", "in an attempt"])
def test_the_phase_in_which_a_turn_ends_names_the_ending(error, ending, begun):
    record = lease(admit(a_record()))
    with watching() as seen:
        publish(seen, attempt(record) if begun else record, error)
        last = seen.spans[-1]
        assert not any("s3cret" in span.to_json() for span in seen.spans)
        assert seen.count(names.TURNS, ending=ending) == 1
    assert last.name == (CHAT if begun else names.SPAN_ACQUIRE)
    assert last.status.status_code is StatusCode.ERROR
    assert last.attributes[names.ERROR_TYPE] == ending


def test_a_turn_that_was_not_admitted_is_one_acquisition():
    with watching() as seen:
        publish(seen, a_record(), TurnError(Reason.OVERLOADED, "full"))
        assert [span.name for span in seen.spans] == [names.SPAN_ACQUIRE]
        assert seen.count(names.TURNS, ending="OVERLOADED", transport="none") == 1


def test_a_span_that_is_a_parent_is_started_as_of_its_phase():
    record = admit(a_record())
    with watching() as seen:
        call = a_call(seen.telemetry)
        with TurnTrace(seen.telemetry, call, record) as trace:
            acquire = get_current_span(trace.parent()).get_span_context()
            with seen.telemetry.dialing(trace.parent()) as dial:
                pass
            answered(record, dial=dial)
        call.end("OK")
        shown = seen.one(names.SPAN_ACQUIRE)
        assert seen.one(names.SPAN_DIAL).parent == acquire == shown.context
    assert shown.start_time == pytest.approx(WALL_S * 1e9, abs=1000)
    assert [link.context for link in shown.links] == [dial]


def test_the_headers_are_those_of_the_running_attempt():
    record = attempt(admit(a_record(OVER_HTTP)))
    with watching() as seen:
        with TurnTrace(seen.telemetry, None, record) as trace:
            headers = trace.headers()
        chat = seen.one(CHAT)
    _, trace_id, span_id, _ = headers["traceparent"].split("-")
    assert (trace_id, span_id) == (f"{chat.context.trace_id:032x}", f"{chat.context.span_id:016x}")


def test_after_its_end_a_turn_is_no_parent():
    with watching() as seen:
        call = a_call(seen.telemetry)
        with TurnTrace(seen.telemetry, call, answered()) as trace:
            pass
        assert trace.headers() == {}
        assert trace.parent() == call.context
        call.end("OK")


def test_without_tracing_nothing_is_a_parent():
    with TurnTrace(OFF, a_call(OFF), admit(a_record())) as trace:
        assert trace.headers() == {}
        assert not get_current_span(trace.parent()).get_span_context().is_valid


def test_a_turn_of_an_unsampled_call_is_measured_and_not_exported():
    with watching(sampler=ParentBased(ALWAYS_OFF)) as seen:
        call = a_call(seen.telemetry)
        publish(seen, answered(), call=call)
        assert seen.spans == []
        assert seen.count(names.TURNS, ending="OK") == 1


@pytest.mark.parametrize("capture", Capture)
def test_content_is_shown_only_where_it_was_asked_for(capture):
    with watching(capture=capture) as seen:
        publish(seen, answered())
        chat = seen.one(CHAT)
    said = {names.INPUT_MESSAGES, names.OUTPUT_MESSAGES}
    details = [event.attributes for event in chat.events if event.name == names.EVENT_DETAILS]
    assert said <= set(chat.attributes) if capture.on_span else not said & set(chat.attributes)
    assert [said & set(shown) for shown in details] == (
        [{names.INPUT_MESSAGES}, {names.OUTPUT_MESSAGES}] if capture.as_event else []
    )
    assert ("s3cret" in chat.to_json()) is capture.enabled


def test_a_published_turn_is_freed_without_the_garbage_collector():
    with watching() as seen:
        gc.collect()
        gc.disable()
        try:
            call, response = a_call(seen.telemetry), Response()
            record = attempt(lease(admit(a_record()), dial=DIAL), response)
            freed = weakref.ref(response)
            with TurnTrace(seen.telemetry, call, record) as trace:
                trace.parent()
            call.end("OK")
            del record, response, trace
            assert freed() is None
        finally:
            gc.enable()
