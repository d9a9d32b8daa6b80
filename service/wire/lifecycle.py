"""Make the first and the last event of a response from the `response` objects that the upstream sends."""

from __future__ import annotations

from collections.abc import Collection

from service.domain.events import Completed, Started, StopReason, Usage
from service.domain.messages import Message, ToolCallPart
from service.wire.server_events import Response

INCOMPLETE: dict[str, StopReason] = {
    "max_output_tokens": StopReason.LENGTH,
    "max_messages": StopReason.LENGTH,
    "content_filter": StopReason.CONTENT_FILTER,
}
"""Any other reason counts as LENGTH: the answer was cut short."""

MAX_CREATED_AT = 253402300799.0
"""The last second of the year 9999: no timestamp is later, unless a server counts in milliseconds."""

MAX_ID_CHARACTERS = 512
"""A longer response id is cut. One of this length may have been cut, so no turn continues from it."""

MAX_MODEL_CHARACTERS = 256
"""A longer model name from the upstream is cut, and a longer service tier."""


def id_of(response: Response) -> str:
    """Return the id, cut. It is empty when there is none."""
    return (response.id or "")[:MAX_ID_CHARACTERS]


def why_cut(response: Response) -> StopReason:
    """Return why an incomplete response ended."""
    details = response.incomplete_details
    return INCOMPLETE.get((details and details.reason) or "", StopReason.LENGTH)


def started(response_id: str, response: Response) -> Started:
    """Make the first event."""
    created_at = response.created_at or 0.0
    return Started(response_id, _model(response), created_at if 0 <= created_at <= MAX_CREATED_AT else 0.0)


def completed(
    response: Response,
    begun: Started,
    message: Message,
    *,
    response_id: str,
    usage: Usage | None,
    cut: StopReason | None,
    is_waiting: bool,
    answered: Collection[str],
) -> Completed:
    """Make the last event. `cut` says why the answer is not complete; None: it is.

    `is_waiting`: the model waits for something other than the result of a function or a custom tool.
    `answered`: the ids of the calls that the upstream has answered itself.
    """
    return Completed(
        response_id,
        _model(response) or begun.model,
        begun.created_at,
        message,
        cut or (StopReason.ACTION_REQUIRED if is_waiting else _stop_reason(message, answered)),
        usage or Usage(),
        continuable=cut is None and len(response_id) < MAX_ID_CHARACTERS,
        service_tier=(response.service_tier or "")[:MAX_MODEL_CHARACTERS],
    )


def _model(response: Response) -> str:
    return (response.model or "")[:MAX_MODEL_CHARACTERS]


def _stop_reason(message: Message, answered: Collection[str]) -> StopReason:
    called = any(isinstance(part, ToolCallPart) and part.call_id not in answered for part in message.parts)
    return StopReason.TOOL_USE if called else StopReason.STOP
