"""The conversation: messages, their parts, tools, options, and the request for one turn.

All values are validated before they become one of these types, and immutable afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from service.domain.limits import LARGE_BYTES


class Role(Enum):
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    SYSTEM = "system"
    DEVELOPER = "developer"


class Transport(Enum):
    """How a turn reaches the upstream. AUTO is only requested; a turn that ran reports another."""

    AUTO = "auto"
    WEBSOCKET = "websocket"
    SSE = "sse"


class ToolKind(Enum):
    """What a tool call calls. CUSTOM: its arguments are free text."""

    FUNCTION = "function"
    CUSTOM = "custom"


# Every part has an `item_id`, the id of the upstream's item in which it stands, and an `extra_json`: on the
# first part of an item, a JSON object of the item's keys that have no field here. Both may be empty.


@dataclass(frozen=True, slots=True)
class TextPart:
    """`phase` is "commentary", "final_answer" or empty; only texts of the model have one.

    Only they have citations and log probabilities, too, each a JSON array as a string, or empty.
    """

    text: str
    phase: str = ""
    annotations_json: str = ""
    logprobs_json: str = ""
    item_id: str = ""
    extra_json: str = ""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """One of `url` (https or data URL), `data` (with `mime_type`) and `file_id` is set."""

    url: str = ""
    data: bytes = b""
    file_id: str = ""
    mime_type: str = ""
    detail: str = ""
    item_id: str = ""
    extra_json: str = ""


@dataclass(frozen=True, slots=True)
class FilePart:
    """One of `url`, `data` (with `mime_type` and `filename`) and `file_id` is set."""

    url: str = ""
    data: bytes = b""
    file_id: str = ""
    filename: str = ""
    mime_type: str = ""
    item_id: str = ""
    extra_json: str = ""


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """`arguments` is the model's own JSON string, valid or not; the free text of a custom tool's call."""

    call_id: str
    name: str
    arguments: str
    kind: ToolKind = ToolKind.FUNCTION
    item_id: str = ""
    extra_json: str = ""


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """`kind` is that of the call which it answers."""

    call_id: str
    parts: tuple[TextPart | ImagePart | FilePart, ...]
    is_error: bool = False
    kind: ToolKind = ToolKind.FUNCTION
    item_id: str = ""
    extra_json: str = ""


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """`id` is that of its item. Empty: the upstream gave none."""

    id: str
    summary: tuple[str, ...] = ()
    encrypted_content: str = ""
    content: tuple[str, ...] = ()
    extra_json: str = ""

    @property
    def item_id(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class RefusalPart:
    text: str
    item_id: str = ""
    extra_json: str = ""


@dataclass(frozen=True, slots=True)
class UpstreamItemPart:
    """An item that has no part of its own: `json` is all of it, `type` the type that it names."""

    type: str
    json: str
    item_id: str = ""
    extra_json: str = ""  # always empty


Part = (
    TextPart
    | ImagePart
    | FilePart
    | ToolCallPart
    | ToolResultPart
    | ReasoningPart
    | RefusalPart
    | UpstreamItemPart
)


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the upstream's input: the unit in which a history is compared, sent and counted.

    It holds the parts of one message that form one entry: a call, a result, a reasoning part or an upstream
    item alone; adjacent texts and refusals of the model with one phase; whatever a message of another role
    holds between two of these. Ids split nothing: a caller who left them out has the same history.
    """

    role: Role
    parts: tuple[Part, ...]

    @property
    def is_reasoning(self) -> bool:
        return isinstance(self.parts[0], ReasoningPart)

    @property
    def is_optional(self) -> bool:
        """Return whether a caller may leave it out of an answer that it echoes."""
        first = self.parts[0]
        return isinstance(first, ReasoningPart) or (
            isinstance(first, UpstreamItemPart) and self.role is Role.ASSISTANT
        )


def items_of(messages: tuple[Message, ...]) -> Iterator[Item]:
    """Split the messages into items, in order. Parts of two messages never share an item."""
    for message in messages:
        if len(message.parts) == 1:
            yield Item(message.role, message.parts)
        else:
            yield from _split(message)


def _split(message: Message) -> Iterator[Item]:
    joined: list[Part] = []
    for part in message.parts:
        alone = isinstance(part, ALONE)
        if joined and (alone or _phase(joined[-1]) != _phase(part)):
            yield Item(message.role, tuple(joined))
            joined = []
        if alone:
            yield Item(message.role, (part,))
        else:
            joined.append(part)
    if joined:
        yield Item(message.role, tuple(joined))


ALONE = (ToolCallPart, ToolResultPart, ReasoningPart, UpstreamItemPart)
"""The parts that are an item each."""


def _phase(part: Part) -> str:
    return part.phase if isinstance(part, TextPart) else ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function: `parameters` is a JSON Schema object as a JSON string; empty: none.

    Or any other tool: only `definition_json` is set, a JSON object as a string, with its `type` and its
    `name`, if it has one.
    """

    name: str = ""
    description: str = ""
    parameters: str = ""
    strict: bool = False
    definition_json: str = ""
    type: str = "function"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`mode` is "auto", "none", "required" or empty. `functions` with a mode are the set to choose from;
    without, the one function to call. Or only `definition_json` is set, a JSON object as a string.
    """

    mode: str = ""
    functions: tuple[str, ...] = ()
    definition_json: str = ""


@dataclass(frozen=True, slots=True)
class TextFormat:
    """`kind` is "text", "json_object" or "json_schema"; the rest belongs to the last."""

    kind: str
    name: str = ""
    schema: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """None and empty mean "not set": not sent. Zero is a value."""

    transport: Transport = Transport.AUTO
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    parallel_tool_calls: bool | None = None
    store: bool | None = None
    tool_choice: ToolChoice | None = None
    reasoning_effort: str = ""
    reasoning_summary: str = ""
    text_format: TextFormat | None = None
    verbosity: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    prompt_cache_key: str = ""
    service_tier: str = ""
    truncation: str = ""
    safety_identifier: str = ""
    warm_up: bool = False
    extra_body_json: str = ""
    include: tuple[str, ...] = ()
    linger_s: float = 0.0
    heartbeat_s: float | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One turn, validated: the whole conversation and how to run it. `size`: its bytes as received.
    `turn_key` names the turn, `after_sequence` is the last event that its caller has, `continuation` a token
    of an earlier turn, unverified. Empty and 0: none.
    """

    session_id: str
    model: str
    messages: tuple[Message, ...]
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    options: Options = field(default_factory=Options)
    request_id: str = ""
    size: int = 0
    turn_key: str = ""
    after_sequence: int = 0
    continuation: str = ""

    @property
    def large(self) -> bool:
        """Return whether it is processed in a thread and piece by piece instead of on the event loop."""
        return self.size > LARGE_BYTES
