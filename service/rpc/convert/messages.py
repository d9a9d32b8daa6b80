"""Convert messages of the contract to messages of the domain and back.

Reading checks which part may occur in which role, and what each part must hold. JSON in a message is not
parsed, and what a model accepts is left to the upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from service.domain.history import orphans
from service.domain.limits import MAX_ID, MAX_NAME, MAX_PARAGRAPHS, MAX_PARAGRAPHS_IN_ALL, MAX_PARTS, MAX_URL
from service.domain.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from service.gen.trunkline.v1 import message_pb2 as pb
from service.rpc.convert.enums import ROLES, ROLES_OUT
from service.rpc.convert.validate import Violations


@dataclass(frozen=True, slots=True)
class PartContext:
    """Where parts may occur. `from_model`: the model wrote them, so a text may have a phase."""

    name: str
    parts: frozenset[str]
    from_model: bool = False
    empty_text: bool = False


PART_CONTEXTS: dict[Role, PartContext] = {
    Role.USER: PartContext("a message of ROLE_USER", frozenset({"text", "image", "file"})),
    Role.ASSISTANT: PartContext(
        "a message of ROLE_ASSISTANT",
        frozenset({"text", "tool_call", "reasoning", "refusal"}),
        from_model=True,
        empty_text=True,
    ),
    Role.TOOL: PartContext("a message of ROLE_TOOL", frozenset({"tool_result"})),
    Role.SYSTEM: PartContext("a message of ROLE_SYSTEM", frozenset({"text"})),
    Role.DEVELOPER: PartContext("a message of ROLE_DEVELOPER", frozenset({"text"})),
}
TOOL_RESULT = PartContext("a tool result", frozenset({"text", "image", "file"}), empty_text=True)


def read_messages(found: Violations, messages: Sequence[pb.Message], most: int) -> tuple[Message, ...]:
    """Read the conversation. If a violation was found, the result is incomplete."""
    if not messages:
        found.add("messages", "is empty; send the whole conversation")
    if len(messages) > most:
        found.add("messages", f"has {len(messages)} messages; at most {most} are allowed")
        return ()
    before = len(found)
    reader = _Reader(found)
    read = [reader.message(index, message) for index, message in enumerate(messages)]
    if len(found) == before:  # otherwise a call may be missing only because its message was refused
        for message_index, part_index in orphans(read):
            path = f"messages[{message_index}].parts[{part_index}].tool_result.call_id"
            found.add(path, "answers no call of an earlier message")
    return tuple(read)


class _Reader:
    """Read parts, count them, and keep the position, so that a path is formatted only for a violation."""

    def __init__(self, found: Violations) -> None:
        self._found = found
        self._parts = 0
        self._paragraphs = 0
        self._path: list[int] = []
        self._kind = ""

    def message(self, index: int, message: pb.Message) -> Message:
        self._path = [index]
        role = ROLES.get(message.role)
        if role is None:
            problem = "is not set" if message.role == 0 else f"{message.role} is not a role"
            self._found.add(f"messages[{index}].role", problem)
            return Message(Role.USER, ())
        # The model's message may be empty (a limit cut its only call), and can be sent back.
        if not message.parts and role is not Role.ASSISTANT:
            self._found.add(f"messages[{index}].parts", "is empty; a message has at least one part")
        return Message(role, self._read_parts(message.parts, PART_CONTEXTS[role]))

    def _read_parts(self, parts: Sequence[pb.Part], context: PartContext) -> tuple[Any, ...]:
        self._parts += len(parts)
        if self._parts > MAX_PARTS:
            self._found.add(
                "messages[].parts", f"are more than {MAX_PARTS} in all, the most that are allowed"
            )
            self._found.check()
        read = []
        depth = len(self._path)
        self._path.append(0)
        for index, part in enumerate(parts):
            self._path[depth] = index
            read.append(self._part(part, context))
        self._path.pop()
        return tuple(part for part in read if part is not None)

    def _part(self, part: pb.Part, context: PartContext) -> Part | None:
        kind = part.WhichOneof("part")
        self._kind = kind or ""
        if kind is None:
            self._add("", f"is empty; set one of {', '.join(sorted(context.parts))}")
            return None
        if kind not in context.parts:
            self._add("", f"does not belong into {context.name}; {', '.join(sorted(context.parts))} do")
            return None
        if kind == "text":
            return self._text(part.text, context)
        return READERS[kind](self, getattr(part, kind))

    def _text(self, text: pb.TextPart, context: PartContext) -> TextPart:
        content = text.text  # read once: each access decodes it again
        if not content and not context.empty_text:
            self._add(".text", f"must not be empty in {context.name}")
        if text.phase:
            if not context.from_model:
                self._add(".phase", f"does not belong into {context.name}; only ROLE_ASSISTANT has phases")
            self._at_most(".phase", text.phase, MAX_NAME)
        return TextPart(content, text.phase)

    def image(self, image: pb.ImagePart) -> ImagePart:
        url, data, file_id = self._source(image)
        self._at_most(".detail", image.detail, MAX_NAME)
        return ImagePart(url, data, file_id, image.mime_type, image.detail)

    def file(self, file: pb.FilePart) -> FilePart:
        url, data, file_id = self._source(file)
        self._at_most(".filename", file.filename, MAX_NAME)
        if data and not file.filename:
            self._add(".filename", "is required with data")
        return FilePart(url, data, file_id, file.filename, file.mime_type)

    def _source(self, part: pb.ImagePart | pb.FilePart) -> tuple[str, bytes, str]:
        """Return url, data and file_id, of which one is set. Each is read once: each access makes a copy."""
        source = part.WhichOneof("source")
        url = part.url if source == "url" else ""
        data = part.data if source == "data" else b""
        file_id = part.file_id if source == "file_id" else ""
        if source is None:
            self._add(".source", "is not set; set one of url, data and file_id")
        elif not (url or data or file_id):
            self._add(f".{source}", "must not be empty")
        elif data and not part.mime_type:
            self._add(".mime_type", "is required with data")
        self._at_most(".mime_type", part.mime_type, MAX_NAME)
        self._at_most(".file_id", file_id, MAX_ID)
        if not url.startswith("data:"):
            self._at_most(".url", url, MAX_URL)
        return url, data, file_id

    def tool_call(self, call: pb.ToolCallPart) -> ToolCallPart:
        call_id, name = call.call_id, call.name
        self._required(".call_id", call_id, MAX_ID)
        self._required(".name", name, MAX_NAME)
        return ToolCallPart(call_id, name, call.arguments)

    def tool_result(self, result: pb.ToolResultPart) -> ToolResultPart:
        self._required(".call_id", result.call_id, MAX_ID)
        parts = self._read_parts(result.parts, TOOL_RESULT)
        return ToolResultPart(result.call_id, parts, result.is_error)

    def reasoning(self, part: pb.ReasoningPart) -> ReasoningPart:
        self._required(".id", part.id, MAX_ID)
        self._paragraphs += len(part.summary) + len(part.content)
        if self._paragraphs > MAX_PARAGRAPHS_IN_ALL:
            most = f"{MAX_PARAGRAPHS_IN_ALL} in all, the most that are allowed"
            self._add("", f"paragraphs of summary and content are more than {most}")
            self._found.check()
        for name, paragraphs in (("summary", part.summary), ("content", part.content)):
            if len(paragraphs) > MAX_PARAGRAPHS:
                self._add(
                    f".{name}", f"has {len(paragraphs)} paragraphs; at most {MAX_PARAGRAPHS} are allowed"
                )
                return ReasoningPart(part.id)
        return ReasoningPart(part.id, tuple(part.summary), part.encrypted_content, tuple(part.content))

    def refusal(self, refusal: pb.RefusalPart) -> RefusalPart:
        return RefusalPart(refusal.text)

    def _required(self, field: str, value: str, characters: int) -> None:
        if not value:
            self._add(field, "is required")
        self._at_most(field, value, characters)

    def _at_most(self, field: str, value: str, characters: int) -> None:
        if len(value) > characters:
            self._add(field, f"has {len(value)} characters; at most {characters} are allowed")

    def _add(self, field: str, description: str) -> None:
        """Add a violation of the current part."""
        message, *parts = self._path
        # Only the result of a tool has parts of its own.
        path = ".tool_result".join(f".parts[{index}]" for index in parts)
        kind = f".{self._kind}" if self._kind else ""
        self._found.add(f"messages[{message}]{path}{kind}{field}", description)


READERS: dict[str, Callable[[_Reader, Any], Part]] = {
    "image": _Reader.image,
    "file": _Reader.file,
    "tool_call": _Reader.tool_call,
    "tool_result": _Reader.tool_result,
    "reasoning": _Reader.reasoning,
    "refusal": _Reader.refusal,
}
"""The readers of every part but text, whose check depends on the context."""


def message_out(message: Message) -> pb.Message:
    """Convert a message of the domain to the contract."""
    return pb.Message(role=ROLES_OUT[message.role], parts=[_part_out(part) for part in message.parts])


def _part_out(part: Part) -> pb.Part:
    match part:
        case TextPart(text, phase):
            return pb.Part(text=pb.TextPart(text=text, phase=phase))
        case RefusalPart(text):
            return pb.Part(refusal=pb.RefusalPart(text=text))
        case ToolCallPart(call_id, name, arguments):
            return pb.Part(tool_call=pb.ToolCallPart(call_id=call_id, name=name, arguments=arguments))
        case ReasoningPart(id_, summary, sealed, content):
            reasoning = pb.ReasoningPart(id=id_, summary=summary, encrypted_content=sealed, content=content)
            return pb.Part(reasoning=reasoning)
        case ToolResultPart(call_id, parts, is_error):
            inner = [_part_out(one) for one in parts]
            return pb.Part(tool_result=pb.ToolResultPart(call_id=call_id, parts=inner, is_error=is_error))
        case ImagePart():
            image = pb.ImagePart(mime_type=part.mime_type, detail=part.detail, **_source_out(part))
            return pb.Part(image=image)
        case FilePart():
            file = pb.FilePart(filename=part.filename, mime_type=part.mime_type, **_source_out(part))
            return pb.Part(file=file)
        case _:
            assert_never(part)


def _source_out(part: ImagePart | FilePart) -> dict[str, Any]:
    """Return the one source that is set: passing another, even an empty one, would unset it."""
    sources = {"url": part.url, "data": part.data, "file_id": part.file_id}
    return {name: value for name, value in sources.items() if value}
