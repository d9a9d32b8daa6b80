"""Record the metrics of a finished turn and write its log line.

A turn that was refused before it began has no report; it is counted and logged all the same. Content is never
logged.
"""

from __future__ import annotations

import logging

from service.domain.errors import Reason
from service.domain.events import Completed, Usage
from service.domain.messages import CompletionRequest
from service.domain.report import TurnReport
from service.telemetry import attributes, calls, names
from service.telemetry.signals import signals

logger = logging.getLogger("service.turn")

CUT_OFF_BY = {
    calls.CANCELLED: "caller",
    calls.DEADLINE_EXCEEDED: "deadline",
    Reason.INTERRUPTED.value: "drain",
}
"""Endings that came from outside the turn, and who caused them."""


def measure(tenant: str, request: CompletionRequest, report: TurnReport | None, ending: str) -> None:
    """Record the metrics of a finished turn."""
    instruments = signals().instruments
    transport = report.transport.value if report is not None else "none"
    instruments.turns.add(1, {names.LABEL_ENDING: ending, names.LABEL_TRANSPORT: transport})
    if ending in CUT_OFF_BY:
        instruments.cancelled.add(1, {names.LABEL_WHO: CUT_OFF_BY[ending]})
    if report is None or report.context_reason is None or not report.attempts:
        return
    context = {
        names.LABEL_RESULT: attributes.context_of(report),
        names.LABEL_REASON: report.context_reason.value,
    }
    instruments.continuation.add(1, context)
    instruments.bytes_sent.add(report.bytes_sent)
    instruments.bytes_saved.add(report.bytes_saved)
    if report.timings.first_content is not None:
        labels = attributes.of_operation(request) | {names.REQUEST_MODEL: signals().model(request.model)}
        instruments.first_token.record(report.timings.first_content, labels)


def count_tokens(tenant: str, model: str, usage: Usage) -> None:
    """Count the tokens of one attempt by tenant, model and type."""
    now = signals()
    now.tenant.admit(tenant)  # tenants are the operator's own, so they are few
    labels = {names.LABEL_TENANT: now.tenant(tenant), names.LABEL_MODEL: now.model(model)}
    by_type = {
        "input": usage.input_tokens,
        "cached_input": usage.cached_input_tokens,
        "output": usage.output_tokens,
        "reasoning": usage.reasoning_tokens,
    }
    for kind, number in by_type.items():
        now.instruments.tokens.add(number, labels | {names.LABEL_TYPE: kind})


def log(
    tenant: str,
    request: CompletionRequest,
    report: TurnReport | None,
    ending: str,
    completed: Completed | None,
) -> None:
    """Write the log line of a finished turn at INFO."""
    if not logger.isEnabledFor(logging.INFO):
        return
    fields: dict[str, object] = {"ending": ending, "tenant": tenant, "model": request.model}
    if report is not None:
        fields |= _of_report(report)
    if completed is not None:
        fields |= {
            "input_tokens": completed.usage.input_tokens,
            "cached_input_tokens": completed.usage.cached_input_tokens,
            "output_tokens": completed.usage.output_tokens,
        }
    logger.info("turn", extra=fields)


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
    if timings.first_content is not None:
        fields["first_content_s"] = round(timings.first_content, 4)
    return fields
