"""The events of a streamed turn. Dispatch with `match`, or by `event.kind`.

Unknown kinds, which a newer service may send, are ignored.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1.message_pb2 import Message, ToolCallPart, UpstreamItemPart
from trunkline.items import actions_of, annotations_of, logprobs_of, upstream_items_of
from trunkline.messages import refusal_of, text_of, tool_calls_of
from trunkline.reports import Report, Usage, enum_word, report_from, usage_from

ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True)
class Start:
    """The upstream began the turn. What is true in the end stands in the report of `Done`."""

    kind: ClassVar[Literal["start"]] = "start"
    turn_id: str
    model: str
    transport: str
    context: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of text. `content_index` is the index of the part in `done.message.parts`, here and below."""

    kind: ClassVar[Literal["text_delta"]] = "text_delta"
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of reasoning. `of` is "summary" (made for people) or "text"."""

    kind: ClassVar[Literal["reasoning_delta"]] = "reasoning_delta"
    content_index: int
    delta: str
    of: str


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """A piece of a refusal."""

    kind: ClassVar[Literal["refusal_delta"]] = "refusal_delta"
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call's arguments: JSON, or a custom tool's text. Empty when it is first seen."""

    kind: ClassVar[Literal["tool_call_delta"]] = "tool_call_delta"
    content_index: int
    call_id: str
    name: str
    delta: str


@dataclass(frozen=True, slots=True)
class ItemProgress:
    """What the upstream says of an item that grows: a search that runs, a piece of code, a partial image.

    `json` is the upstream's event as it wrote it; empty: it was too large for a message. `item_type` is empty
    where the upstream did not announce the item.
    """

    kind: ClassVar[Literal["item_progress"]] = "item_progress"
    content_index: int
    item_type: str
    event_type: str
    json: str


@dataclass(frozen=True, slots=True)
class Done:
    """The turn ended well.

    `stop_reason` is "stop", "tool_use", "length", "content_filter" or "action_required": then `actions` wait.
    `service_tier` is the one that the upstream used; empty: it names none. `continuation` is a token for the
    conversation's next request, where the upstream stores the response; a conversation sends it by itself.
    """

    kind: ClassVar[Literal["done"]] = "done"
    message: Message
    stop_reason: str
    usage: Usage
    model: str
    provider: str
    created_at: datetime | None
    report: Report
    service_tier: str = ""
    continuation: str = ""

    @property
    def text(self) -> str:
        return text_of(self.message)

    @property
    def refusal(self) -> str:
        return refusal_of(self.message)

    @property
    def tool_calls(self) -> tuple[ToolCallPart, ...]:
        return tool_calls_of(self.message)

    @property
    def upstream_items(self) -> tuple[UpstreamItemPart, ...]:
        """The items that have no part of their own, such as the calls of hosted tools."""
        return upstream_items_of(self.message)

    @property
    def actions(self) -> tuple[UpstreamItemPart, ...]:
        """The items for which the model waits: an approval, a shell, a patch. See `conversation.answer`."""
        return actions_of(self.message) if self.stop_reason == ACTION_REQUIRED else ()

    @property
    def annotations(self) -> tuple[dict[str, Any], ...]:
        """The citations of the text."""
        return annotations_of(self.message)

    @property
    def logprobs(self) -> tuple[dict[str, Any], ...]:
        """The log probabilities of the text, where they were asked for."""
        return logprobs_of(self.message)


Event = Start | TextDelta | ReasoningDelta | RefusalDelta | ToolCallDelta | ItemProgress | Done


def event_from(response: pb.StreamCompletionResponse) -> Event | None:
    """None: an event kind that this client does not know. An error is no event here: it is raised."""
    match response.WhichOneof("event"):
        case "start":
            return _start(response.start)
        case "text_delta":
            return TextDelta(response.text_delta.content_index, response.text_delta.delta)
        case "reasoning_delta":
            return _reasoning(response.reasoning_delta)
        case "refusal_delta":
            return RefusalDelta(response.refusal_delta.content_index, response.refusal_delta.delta)
        case "tool_call_delta":
            return _tool_call(response.tool_call_delta)
        case "item_progress":
            return _progress(response.item_progress)
        case "done":
            return done_from(response.done)
        case _:
            return None


def done_from(message: pb.Done | pb.CompleteResponse) -> Done:
    """Both have the same fields, so both make the same value."""
    return Done(
        message=message.message,
        stop_reason=enum_word(pb.StopReason, "STOP_REASON_", message.stop_reason),
        usage=usage_from(message.usage),
        model=message.model,
        provider=message.provider,
        created_at=message.created_at.ToDatetime(UTC) if message.HasField("created_at") else None,
        report=report_from(message.report),
        service_tier=message.service_tier,
        continuation=message.continuation,
    )


def _start(message: pb.Start) -> Start:
    return Start(
        turn_id=message.turn_id,
        model=message.model,
        transport=enum_word(pb.Transport, "TRANSPORT_", message.transport),
        context=enum_word(pb.Context, "CONTEXT_", message.context),
    )


def _reasoning(message: pb.ReasoningDelta) -> ReasoningDelta:
    of = enum_word(pb.ReasoningKind, "REASONING_KIND_", message.kind)
    return ReasoningDelta(message.content_index, message.delta, of)


def _tool_call(message: pb.ToolCallDelta) -> ToolCallDelta:
    return ToolCallDelta(message.content_index, message.call_id, message.name, message.arguments_delta)


def _progress(message: pb.ItemProgress) -> ItemProgress:
    return ItemProgress(message.content_index, message.item_type, message.event_type, message.json)
