"""Record the metrics of a finished turn and write its log line.

A turn that was refused before it began has no report; it is counted and logged all the same. Content is never
logged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from service.domain.events import Usage
from service.domain.phases import Acquisition, Attempt
from service.domain.report import FIELD, TurnReport
from service.domain.turn_record import TurnRecord
from service.telemetry import attributes, caller_attributes, calls, endings, names
from service.telemetry.attributes import Attributes
from service.telemetry.instruments import Instruments
from service.telemetry.telemetry import Telemetry

logger = logging.getLogger("service.turn")

UNDERSTOOD = frozenset({"gap", "foreign", "late", "unplaced", "behind_the_end", "contradiction"})
"""Known kinds of ignored events; so is a field of ours that was not understood (`field:usage.output_tokens`).
Any other kind is the upstream's invention: the report, the span and the log name it.
"""
UNKNOWN = "unknown"


def measure(telemetry: Telemetry, record: TurnRecord, report: TurnReport | None, ending: str) -> None:
    """Record the metrics of a finished turn. `report`: None if it was not admitted."""
    instruments = telemetry.instruments
    if record.completed is not None:  # the upstream accepted the name, so it may be a label
        telemetry.model.admit(record.request.model)
    transport = report.transport.value if report is not None else "none"
    at = attributes.upstream_label(record.upstream.name)
    instruments.turns.add(1, {names.LABEL_ENDING: ending, names.LABEL_TRANSPORT: transport} | at)
    if ending in endings.CUT_OFF_BY:
        instruments.cancelled.add(1, {names.LABEL_WHO: endings.CUT_OFF_BY[ending]})
    _count_detours(instruments, record)
    count_warm_up(telemetry, record)
    model = telemetry.model(record.request.model)
    operation = attributes.of_operation(model)
    for phase in record.phases:
        if isinstance(phase, Acquisition):
            _measure_wait(instruments, phase)
            continue
        ended = endings.of_phase(record, phase, ending)
        _measure_attempt(instruments, phase, operation, ended)
        if phase.response.usage is not None:
            count_tokens(telemetry, record.tenant, model, phase.response.usage)
        elif phase.dispatched:
            instruments.unreported.add(1, {names.LABEL_ENDING: ended})
    if report is not None and report.context_reason is not None and report.attempts:
        _measure_context(instruments, report, operation)


def _count_detours(instruments: Instruments, record: TurnRecord) -> None:
    """Count how often, and why, the turn went another way or again."""
    for why in record.fallbacks:
        instruments.fallbacks.add(1, {names.LABEL_CAUSE: why.value})
    for reason in record.replays:
        instruments.replays.add(1, {names.LABEL_CAUSE: reason.value})
    for left, cause in record.failovers:
        instruments.failovers.add(1, {names.LABEL_CAUSE: cause.value, **attributes.upstream_label(left.name)})


def _measure_wait(instruments: Instruments, acquisition: Acquisition) -> None:
    """Record how long the pool took to lease a connection, or to fail."""
    asked, leased = acquisition.asked_at, acquisition.leased_at
    if asked is None:
        return
    if leased is not None:
        result = "reused" if acquisition.reused else "dialed"
        instruments.checkout.record(leased - asked, {names.LABEL_RESULT: result})
    elif (reason := endings.failure_of(acquisition)) and acquisition.ended is not None:
        instruments.checkout.record(acquisition.ended - asked, {names.LABEL_RESULT: reason})


def _measure_attempt(instruments: Instruments, attempt: Attempt, labels: Attributes, ending: str) -> None:
    first, usage = first_chunk_s(attempt), attempt.response.usage
    if first is not None:
        instruments.first_chunk.record(first, labels)
    if usage is not None:
        measure_usage(instruments, usage, labels)
    for kind, number in attempt.response.ignored.items():
        known = kind in UNDERSTOOD or kind.startswith(FIELD)
        instruments.ignored.add(number, {names.LABEL_KIND: kind if known else UNKNOWN})
    failed = {names.ERROR_TYPE: ending} if ending != calls.OK else {}
    if attempt.ended is not None:
        at = attributes.upstream_label(attempt.report.upstream.name)
        instruments.operation_duration.record(attempt.ended - attempt.began, labels | failed | at)


def measure_usage(instruments: Instruments, usage: Usage, labels: Attributes) -> None:
    """Record the tokens of one request upstream."""
    instruments.token_usage.record(usage.input_tokens, labels | {names.TOKEN_TYPE: "input"})
    instruments.token_usage.record(usage.output_tokens, labels | {names.TOKEN_TYPE: "output"})


def first_chunk_s(attempt: Attempt) -> float | None:
    """Return the seconds from the written request to its first content. Returns None when there was none."""
    if attempt.first_content_at is None:
        return None
    return attempt.first_content_at - (attempt.began if attempt.sent_at is None else attempt.sent_at)


@contextmanager
def counting_warm_up(telemetry: Telemetry, record: TurnRecord) -> Iterator[None]:
    """Count the tokens of a warm-up by itself, however it ends. It is published nowhere else."""
    try:
        yield
    finally:
        count_warm_up(telemetry, record)


def count_warm_up(telemetry: Telemetry, record: TurnRecord) -> None:
    """Count the tokens of a warm-up, if there was one and the upstream reported them."""
    usage, name = record.warm_up_usage, record.request.model
    if usage is None:
        return
    telemetry.model.admit(name)  # the upstream accepted it
    model = telemetry.model(name)
    measure_usage(telemetry.instruments, usage, attributes.of_operation(model, names.OPERATION_WARM_UP))
    count_tokens(telemetry, record.tenant, model, usage)


def count_tokens(telemetry: Telemetry, tenant: str, model: str, usage: Usage) -> None:
    """Count the tokens of one attempt by tenant, model and type. `model` is a label already."""
    telemetry.tenant.admit(tenant)  # tenants are the operator's own, so they are few
    labels = {names.LABEL_TENANT: telemetry.tenant(tenant), names.LABEL_MODEL: model}
    add = telemetry.instruments.tokens.add
    add(usage.input_tokens, labels | {names.LABEL_TYPE: "input"})
    add(usage.cached_input_tokens, labels | {names.LABEL_TYPE: "cached_input"})
    add(usage.output_tokens, labels | {names.LABEL_TYPE: "output"})
    add(usage.reasoning_tokens, labels | {names.LABEL_TYPE: "reasoning"})


def _measure_context(instruments: Instruments, report: TurnReport, operation: Attributes) -> None:
    """Record how the conversation of a turn was sent, and when its first content came."""
    assert report.context_reason is not None, "something was sent"
    context = {
        names.LABEL_RESULT: attributes.context_of(report),
        names.LABEL_REASON: report.context_reason.value,
    }
    instruments.continuation.add(1, context)
    instruments.bytes_sent.add(report.bytes_sent)
    instruments.bytes_saved.add(report.bytes_saved)
    if report.timings.first_content is not None:
        instruments.first_token.record(report.timings.first_content, operation)


def log(
    record: TurnRecord, report: TurnReport | None, ending: str, caller: Attributes = caller_attributes.NOTHING
) -> None:
    """Write the log line of a finished turn at INFO, and before it one for each of its phases at DEBUG.

    `caller`: what its caller says of itself.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    request = record.request
    # After the call, the log's own fields of its task are gone.
    task = {"session": request.session_id, "request_id": request.request_id}
    common: dict[str, object] = {name: value for name, value in task.items() if value}
    if logger.isEnabledFor(logging.DEBUG):
        _log_phases(record, common)
    fields = common | {"ending": ending, "tenant": record.tenant, "model": request.model}
    fields |= caller_attributes.log_fields(caller)
    if report is not None:
        fields |= _of_report(report)
        if report.ignored_events:
            fields["ignored_events"] = " ".join(f"{kind}={number}" for kind, number in report.ignored_events)
    usage = _usage(record)
    if usage is not None:
        fields |= {
            "input_tokens": usage.input_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "output_tokens": usage.output_tokens,
        }
    logger.info("turn", extra=fields)


def _usage(record: TurnRecord) -> Usage | None:
    """Return the tokens of the answer, or of the last attempt, if the upstream reported them."""
    if record.completed is not None:
        return record.completed.usage
    return record.attempt.response.usage if record.attempt is not None else None


def _log_phases(record: TurnRecord, common: dict[str, object]) -> None:
    """Log which attempts began upstream and which failed. `at_s`: seconds since the turn began."""
    attempts = 0
    for phase in record.phases:
        if isinstance(phase, Attempt):
            attempts = phase.number
            if phase.started is not None and phase.created_at is not None:
                began = {"response_id": phase.started.response_id, "at_s": _since(record, phase.created_at)}
                logger.debug("turn began upstream", extra=common | began)
        if (reason := endings.failure_of(phase)) and phase.ended is not None:
            failed = {"reason": reason, "attempt": attempts, "at_s": _since(record, phase.ended)}
            logger.debug("attempt failed", extra=common | failed)


def _since(record: TurnRecord, at: float) -> float:
    return round(at - record.began, 4)


def _of_report(report: TurnReport) -> dict[str, object]:
    timings = report.timings
    fields: dict[str, object] = {
        "turn_id": report.turn_id,
        "transport": report.transport.value,
        "transport_reason": report.transport_reason.value,
        "context": attributes.context_of(report),
        "context_reason": report.context_reason.value if report.context_reason else "",
        "attempts": report.attempts,
        "bytes_sent": report.bytes_sent,
        "bytes_saved": report.bytes_saved,
        "response_id": report.response_id,
        "total_s": round(timings.total, 4),
    }
    if report.upstream.name:
        fields["upstream"] = report.upstream.name
    if report.upstream_reason is not None:
        fields["upstream_reason"] = report.upstream_reason.value
    if timings.first_content is not None:
        fields["first_content_s"] = round(timings.first_content, 4)
    return fields
