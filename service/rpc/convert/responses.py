"""Convert events, errors, reports and session views to messages of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, assert_never

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from service.domain.compaction import Compacted
from service.domain.errors import TurnError, UpstreamDetail
from service.domain.events import (
    Completed,
    Event,
    ItemProgress,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from service.domain.messages import Message
from service.domain.report import SessionView, Timings, TurnReport, TurnView
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1.session_pb2 import Session, SessionTurn
from service.rpc.convert.enums import LINE_STATES, REASONING_KINDS, STOP_REASONS, TRANSPORTS_OUT
from service.rpc.convert.messages_out import message_out
from service.transport.upstream import PROVIDER

_Ended = TypeVar("_Ended", pb.Done, pb.CompleteResponse)

MAX_KIND = 64
"""The characters of an ignored event's type, which is the upstream's."""
MAX_TEXT = 500
"""The characters of an error's text, which may be the upstream's and unbounded."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest message that the service sends."""
MAX_PROGRESS_BYTES = MAX_MESSAGE_BYTES - 64 * 1024
"""Of an event's JSON, in UTF-8. What else is in its message has a few names, of 16 KiB at most each."""
MAX_SECONDS = 253_402_300_799
"""The end of the year 9999: the last second that a Timestamp can hold."""


def event_out(event: Event, sequence: int, report: Callable[[], TurnReport]) -> pb.StreamCompletionResponse:
    """Convert an event. `report` is called only for events that contain a report, not for each delta."""
    match event:
        case TextDelta(index, delta):
            text = pb.TextDelta(content_index=index, delta=delta)
            return pb.StreamCompletionResponse(sequence=sequence, text_delta=text)
        case ReasoningDelta(index, delta, kind):
            reasoning = pb.ReasoningDelta(content_index=index, delta=delta, kind=REASONING_KINDS[kind])
            return pb.StreamCompletionResponse(sequence=sequence, reasoning_delta=reasoning)
        case ToolCallDelta(index, delta, call_id, name):
            call = pb.ToolCallDelta(content_index=index, call_id=call_id, name=name, arguments_delta=delta)
            return pb.StreamCompletionResponse(sequence=sequence, tool_call_delta=call)
        case RefusalDelta(index, delta):
            refusal = pb.RefusalDelta(content_index=index, delta=delta)
            return pb.StreamCompletionResponse(sequence=sequence, refusal_delta=refusal)
        case ItemProgress():
            return pb.StreamCompletionResponse(sequence=sequence, item_progress=_progress(event))
        case Started():
            return pb.StreamCompletionResponse(sequence=sequence, start=_start(event, report()))
        case Completed():
            return pb.StreamCompletionResponse(sequence=sequence, done=_ended(pb.Done, event, report()))
        case _:
            assert_never(event)


def _progress(event: ItemProgress) -> pb.ItemProgress:
    """Leave the event's JSON out where it does not fit a message: the item itself comes with the answer."""
    json = event.json
    fits = len(json) <= MAX_PROGRESS_BYTES // 4 or len(json.encode()) <= MAX_PROGRESS_BYTES
    return pb.ItemProgress(
        content_index=event.content_index,
        item_type=event.item_type,
        event_type=event.event_type,
        json=json if fits else "",
    )


def complete_out(event: Completed, report: TurnReport) -> pb.CompleteResponse:
    """Convert a complete answer to the response of a unary call."""
    return _ended(pb.CompleteResponse, event, report)


def _ended(kind: type[_Ended], event: Completed, report: TurnReport) -> _Ended:
    return kind(
        message=message_out(event.message),
        stop_reason=STOP_REASONS[event.stop_reason],
        usage=_usage(event.usage),
        model=event.model,
        provider=report.upstream.name or PROVIDER,
        created_at=_timestamp(event.created_at),
        report=report_out(report),
        service_tier=event.service_tier,
        continuation=event.continuation,
    )


def compact_out(compacted: Compacted) -> pb.CompactResponse:
    """Convert a compacted conversation."""
    return pb.CompactResponse(
        messages=[message_out(message) for message in compacted.messages],
        usage=None if compacted.usage is None else _usage(compacted.usage),
        response_id=compacted.response_id,
        created_at=_timestamp(compacted.created_at),
        provider=compacted.upstream or PROVIDER,
    )


def _start(event: Started, report: TurnReport) -> pb.Start:
    return pb.Start(
        turn_id=report.turn_id,
        model=event.model,
        transport=TRANSPORTS_OUT[report.transport],
        context=_context(report),
    )


def error_out(
    error: TurnError, report: TurnReport, usage: Usage | None, partial: Message | None = None
) -> pb.Error:
    return pb.Error(
        reason=error.reason.value,
        message=truncate(error.message, MAX_TEXT),
        retryable=error.retryable,
        retry_after=duration_out(error.retry_after),
        upstream=_upstream(error.upstream),
        partial=None if partial is None else message_out(partial),
        usage=None if usage is None else _usage(usage),
        report=report_out(report),
    )


def truncate(text: str, characters: int) -> str:
    """Shorten the text to that many characters, the last one then an ellipsis. Always valid Unicode."""
    if len(text) > characters:
        text = f"{text[: characters - 1]}…"
    return text.encode(errors="replace").decode()


def _upstream(detail: UpstreamDetail | None) -> pb.UpstreamError | None:
    if detail is None:
        return None
    return pb.UpstreamError(
        code=truncate(detail.code, MAX_TEXT),
        type=truncate(detail.type, MAX_TEXT),
        status=detail.status,
        request_id=truncate(detail.request_id, MAX_TEXT),
    )


def report_out(report: TurnReport) -> pb.TurnReport:
    """Convert the report of a turn."""
    return pb.TurnReport(
        response_id=report.response_id,
        transport=TRANSPORTS_OUT[report.transport],
        transport_reason=report.transport_reason.value,
        context=_context(report),
        context_reason="" if report.context_reason is None else report.context_reason.value,
        attempts=report.attempts,
        connection_reused=report.connection_reused,
        timings=_timings(report.timings),
        bytes_sent=report.bytes_sent,
        bytes_saved=report.bytes_saved,
        ignored_events={truncate(kind, MAX_KIND): count for kind, count in report.ignored_events},
        attached=report.attached,
        upstream=report.upstream.name,
        upstream_reason="" if report.upstream_reason is None else report.upstream_reason.value,
    )


def _context(report: TurnReport) -> pb.Context:
    if report.context_reason is None:
        return pb.CONTEXT_UNSPECIFIED
    return pb.CONTEXT_INCREMENTAL if report.incremental else pb.CONTEXT_FULL


def _timings(timings: Timings) -> pb.Timings:
    return pb.Timings(
        queue=duration_out(timings.queue),
        connect=duration_out(timings.connect),
        first_event=duration_out(timings.first_event),
        first_content=duration_out(timings.first_content),
        total=duration_out(timings.total),
    )


def _usage(usage: Usage) -> pb.Usage:
    return pb.Usage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        total_tokens=usage.total_tokens,
        details_json=usage.details_json,
    )


def session_out(view: SessionView) -> Session:
    """Convert a view of a session."""
    return Session(
        session_id=view.session_id,
        live=view.live,
        line_state=LINE_STATES[view.line_state],
        turns=view.turns,
        incremental_turns=view.incremental_turns,
        bytes_saved=view.bytes_saved,
        created_at=_timestamp(view.created_at),
        last_used_at=_timestamp(view.last_used_at),
        running_turns=map(_turn, view.running_turns),
    )


def _turn(view: TurnView) -> SessionTurn:
    return SessionTurn(
        turn_id=view.turn_id,
        turn_key=view.turn_key,
        started_at=_timestamp(view.started_at),
        attached=view.attached,
        ended=view.ended,
        last_sequence=view.last_sequence,
    )


def duration_out(seconds: float | None) -> Duration | None:
    """Convert seconds. Returns None for None."""
    if seconds is None:
        return None
    whole, nanos = divmod(round(_clamped(seconds) * 1e9), 1_000_000_000)
    return Duration(seconds=whole, nanos=nanos)


def _timestamp(seconds: float) -> Timestamp | None:
    """Return None for 0, which means unknown."""
    if not seconds:
        return None
    whole, micros = divmod(round(_clamped(seconds) * 1e6), 1_000_000)
    return Timestamp(seconds=whole, nanos=micros * 1000)


def _clamped(seconds: float) -> float:
    """Limit seconds to what a message can hold: the value may be the upstream's."""
    return min(max(0.0, seconds), MAX_SECONDS)
