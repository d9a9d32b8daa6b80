"""Convert requests, reports, answers and failures to span attributes.

Content never becomes an attribute here. A failure is described by its reason, not by its message, because a
message may repeat part of a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opentelemetry.util.types import AttributeValue

from service.domain.errors import TurnError
from service.domain.events import Completed, StopReason, Usage
from service.domain.messages import (
    CompletionRequest,
    Message,
    Options,
    ReasoningPart,
    ToolCallPart,
    ToolKind,
    UpstreamItemPart,
)
from service.domain.report import Peer, TurnReport
from service.telemetry import names
from service.telemetry.bounds import CONTENT_CHARACTERS, SHOWN_CHARACTERS, truncate

Attributes = dict[str, AttributeValue]

PROVIDER = "openai"
FINISH_REASONS = {
    StopReason.STOP: "stop",
    StopReason.TOOL_USE: "tool_call",
    StopReason.LENGTH: "length",
    StopReason.CONTENT_FILTER: "content_filter",
    StopReason.ACTION_REQUIRED: "tool_call",
}
MAX_TYPES = 16
"""Types shown of the tools of a request, and of the items of an answer: both may invent any number."""


def bounded(attributes: Mapping[str, AttributeValue]) -> Mapping[str, AttributeValue]:
    """Return the attributes with each text truncated; those that hold content may be longer."""
    if not any(type(value) is str and len(value) > SHOWN_CHARACTERS for value in attributes.values()):
        return attributes
    return {
        name: truncate(value, CONTENT_CHARACTERS if name in names.CONTENT else SHOWN_CHARACTERS)
        if isinstance(value, str)
        else value
        for name, value in attributes.items()
    }


def of_operation(model: str, operation: str = names.SPAN_CHAT) -> Attributes:
    """Return what a sampler may decide by, and what every measurement of an attempt carries."""
    return {names.OPERATION: operation, names.PROVIDER: PROVIDER, names.REQUEST_MODEL: model}


def of_request(request: CompletionRequest) -> Attributes:
    """Return the attributes of a request and its options, without content."""
    attributes = _of_options(request.options)
    attributes[names.CONVERSATION] = request.session_id
    attributes[names.REQUEST_STREAM] = True
    attributes[names.OPENAI_API] = "responses"
    if request.request_id:
        attributes[names.REQUEST_ID] = request.request_id
    if request.tools:
        attributes[names.REQUEST_TOOLS] = _types(tool.type for tool in request.tools)
    return attributes


def _of_options(options: Options) -> Attributes:
    values = {
        names.REQUEST_TEMPERATURE: options.temperature,
        names.REQUEST_TOP_P: options.top_p,
        names.REQUEST_MAX_TOKENS: options.max_output_tokens,
        names.REQUEST_REASONING: options.reasoning_effort or None,
        names.OPENAI_TIER: options.service_tier or None,
    }
    attributes: Attributes = {name: value for name, value in values.items() if value is not None}
    text_format = options.text_format
    attributes[names.OUTPUT_TYPE] = (
        "json" if text_format is not None and text_format.kind != "text" else "text"
    )
    return attributes


def of_report(report: TurnReport) -> Attributes:
    """Return the transport and the context of the turn, and the reasons for both."""
    attributes: Attributes = {
        names.TURN_ID: report.turn_id,
        names.TRANSPORT: report.transport.value,
        names.TRANSPORT_REASON: report.transport_reason.value,
        names.REUSED: report.connection_reused,
    }
    if report.upstream.name:
        attributes[names.UPSTREAM] = report.upstream.name
    if report.upstream_reason is not None:
        attributes[names.UPSTREAM_REASON] = report.upstream_reason.value
    if report.context_reason is not None:
        attributes[names.CONTEXT] = context_of(report)
        attributes[names.CONTEXT_REASON] = report.context_reason.value
        attributes[names.BYTES_SENT] = report.bytes_sent
        attributes[names.BYTES_SAVED] = report.bytes_saved
    return attributes


def context_of(report: TurnReport) -> str:
    """Return how the conversation was sent: "incremental" or "full"."""
    return "incremental" if report.incremental else "full"


def of_answer(completed: Completed) -> Attributes:
    """Return id, model, finish reason and types of items of a complete response."""
    attributes: Attributes = {
        names.RESPONSE_ID: completed.response_id,
        names.RESPONSE_MODEL: completed.model,
        names.FINISH_REASONS: (FINISH_REASONS[completed.stop_reason],),
        names.RESPONSE_ITEMS: _types(_item_types(completed.message)),
    }
    if completed.service_tier:
        attributes[names.OPENAI_TIER_USED] = completed.service_tier
    return attributes


def _types(types: Iterable[str]) -> tuple[str, ...]:
    """Return the different types in their order, the first `MAX_TYPES` of them."""
    return tuple(truncate(kind) for kind in list(dict.fromkeys(types))[:MAX_TYPES])


def _item_types(message: Message) -> Iterable[str]:
    """Return the type that the upstream gives to the item of each part."""
    for part in message.parts:
        match part:
            case UpstreamItemPart():
                yield part.type
            case ToolCallPart():
                yield "function_call" if part.kind is ToolKind.FUNCTION else "custom_tool_call"
            case ReasoningPart():
                yield "reasoning"
            case _:
                yield "message"


def of_usage(usage: Usage) -> Attributes:
    """Return the tokens of an attempt."""
    return {
        names.INPUT_TOKENS: usage.input_tokens,
        names.CACHE_READ_TOKENS: usage.cached_input_tokens,
        names.CACHE_WRITE_TOKENS: usage.cache_write_tokens,
        names.OUTPUT_TOKENS: usage.output_tokens,
        names.REASONING_TOKENS: usage.reasoning_tokens,
    }


def of_upstream(upstream: Peer) -> Attributes:
    """Return the address of the upstream, and its name if it has one."""
    known: Attributes = {names.SERVER_ADDRESS: upstream.host, names.SERVER_PORT: upstream.port}
    if upstream.name:
        known[names.UPSTREAM] = upstream.name
    return known


def upstream_label(name: str) -> Attributes:
    """Return the label of what was measured at the upstream of this name; nothing where there is only one."""
    return {names.LABEL_UPSTREAM: name} if name else {}


def of_failure(ending: str, error: BaseException | None) -> Attributes:
    """Return the attributes of a failure. `ending` is the reason or the status that names it."""
    attributes: Attributes = {names.ERROR_TYPE: ending}
    detail = error.upstream if isinstance(error, TurnError) else None
    if detail is not None:
        upstream: Attributes = {
            names.UPSTREAM_CODE: detail.code,
            names.UPSTREAM_TYPE: detail.type,
            names.UPSTREAM_STATUS: detail.status,
            names.UPSTREAM_REQUEST: detail.request_id,
        }
        attributes |= {name: value for name, value in upstream.items() if value}
    return attributes
