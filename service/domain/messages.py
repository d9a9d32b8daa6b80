"""The conversation: messages, their parts, tools, options, and the request for one turn.

All values are validated before they become one of these types, and immutable afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from service.domain.limits import LARGE_BYTES

PART_BYTES = 256
"""Memory of a part besides its content, in bytes: the object, its item, their slots in tuples."""


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


@dataclass(frozen=True, slots=True)
class TextPart:
    """`phase` is "commentary", "final_answer" or empty; only texts of the model have one."""

    text: str
    phase: str = ""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """One of `url` (https or data URL), `data` (with `mime_type`) and `file_id` is set."""

    url: str = ""
    data: bytes = b""
    file_id: str = ""
    mime_type: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FilePart:
    """One of `url`, `data` (with `mime_type` and `filename`) and `file_id` is set."""

    url: str = ""
    data: bytes = b""
    file_id: str = ""
    filename: str = ""
    mime_type: str = ""


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """`arguments` is the model's own JSON string, valid or not."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    call_id: str
    parts: tuple[TextPart | ImagePart | FilePart, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    id: str
    summary: tuple[str, ...] = ()
    encrypted_content: str = ""
    content: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusalPart:
    text: str


Part = TextPart | ImagePart | FilePart | ToolCallPart | ToolResultPart | ReasoningPart | RefusalPart


@dataclass(frozen=True, slots=True)
class Message:
    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the upstream's input: the unit in which a history is compared, sent and counted.

    It holds the parts of one message that form one entry: a call, a result or a reasoning part alone;
    adjacent texts and refusals of the model with one phase; a message of any other role as a whole.
    """

    role: Role
    parts: tuple[Part, ...]

    @property
    def is_reasoning(self) -> bool:
        return isinstance(self.parts[0], ReasoningPart)


def items_of(messages: tuple[Message, ...]) -> Iterator[Item]:
    """Split the messages into items, in order. Parts of two messages never share an item."""
    for message in messages:
        if message.role in (Role.USER, Role.SYSTEM, Role.DEVELOPER):
            yield Item(message.role, message.parts)
        else:
            yield from _split(message)


def _split(message: Message) -> Iterator[Item]:
    said: list[Part] = []
    for part in message.parts:
        if not isinstance(part, TextPart | RefusalPart):
            if said:
                yield Item(message.role, tuple(said))
                said = []
            yield Item(message.role, (part,))
            continue
        if said and _phase(said[-1]) != _phase(part):
            yield Item(message.role, tuple(said))
            said = []
        said.append(part)
    if said:
        yield Item(message.role, tuple(said))


def _phase(part: Part) -> str:
    return part.phase if isinstance(part, TextPart) else ""


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is a JSON Schema object as a JSON string; empty: none."""

    name: str
    description: str = ""
    parameters: str = ""
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`mode` is "auto", "none", "required" or empty. `functions` with a mode are the set to choose from;
    without, the one function to call.
    """

    mode: str = ""
    functions: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One turn, validated: the whole conversation and how to run it. `size`: its bytes as received."""

    session_id: str
    model: str
    messages: tuple[Message, ...]
    instructions: str = ""
    tools: tuple[Tool, ...] = ()
    options: Options = field(default_factory=Options)
    request_id: str = ""
    size: int = 0

    @property
    def large(self) -> bool:
        """Return whether it is processed in a thread and piece by piece instead of on the event loop."""
        return self.size > LARGE_BYTES

    @property
    def weight(self) -> int:
        """Estimate its memory in bytes: its size, and an overhead for each part."""
        return self.size + PART_BYTES * sum(len(message.parts) for message in self.messages)
