"""The conversation, both ways: messages of the contract ↔ messages of the domain.

Owns which part may stand where, and what each part must hold. Must never read JSON, or judge what a model may
be given: that is the upstream's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

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
from service.rpc.enums import ROLES, ROLES_OUT
from service.rpc.validate import Violations
from service.session.history import orphans


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere parts stand. `said_by_model`: an empty text is what came, and a text may have a phase."""

    name: str
    parts: frozenset[str]
    said_by_model: bool = False
    empty_text: bool = False


PLACES: dict[Role, Place] = {
    Role.USER: Place("a message of ROLE_USER", frozenset({"text", "image", "file"})),
    Role.ASSISTANT: Place(
        "a message of ROLE_ASSISTANT",
        frozenset({"text", "tool_call", "reasoning", "refusal"}),
        said_by_model=True,
        empty_text=True,
    ),
    Role.TOOL: Place("a message of ROLE_TOOL", frozenset({"tool_result"})),
    Role.SYSTEM: Place("a message of ROLE_SYSTEM", frozenset({"text"})),
    Role.DEVELOPER: Place("a message of ROLE_DEVELOPER", frozenset({"text"})),
}
TOOL_RESULT = Place("a tool result", frozenset({"text", "image", "file"}), empty_text=True)


def read_messages(found: Violations, messages: Sequence[pb.Message], most: int) -> tuple[Message, ...]:
    """The whole conversation. Where something was found, what is returned is not complete."""
    if not messages:
        found.add("messages", "is empty; send the whole conversation")
    if len(messages) > most:
        found.add("messages", f"has {len(messages)} messages; at most {most} are allowed")
        return ()
    before = len(found)
    read = [_message(found, f"messages[{index}]", message) for index, message in enumerate(messages)]
    if len(found) == before:  # else a call may be missing only because its message was refused
        for message_index, part_index in orphans(read):
            path = f"messages[{message_index}].parts[{part_index}].tool_result.call_id"
            found.add(path, "answers no call of an earlier message")
    return tuple(read)


def _message(found: Violations, path: str, message: pb.Message) -> Message:
    role = ROLES.get(message.role)
    if role is None:
        found.add(f"{path}.role", "is not set" if message.role == 0 else f"{message.role} is not a role")
        return Message(Role.USER, ())
    # The model may have said nothing at all (a limit cut its only call), and what it said can be sent back.
    if not message.parts and role is not Role.ASSISTANT:
        found.add(f"{path}.parts", "is empty; a message has at least one part")
    return Message(role, _parts(found, path, message.parts, PLACES[role]))


def _parts(found: Violations, path: str, parts: Sequence[pb.Part], place: Place) -> tuple[Any, ...]:
    read = (_part(found, f"{path}.parts[{index}]", part, place) for index, part in enumerate(parts))
    return tuple(part for part in read if part is not None)


def _part(found: Violations, path: str, part: pb.Part, place: Place) -> Part | None:
    kind = part.WhichOneof("part")
    if kind is None:
        found.add(path, f"is empty; set one of {', '.join(sorted(place.parts))}")
        return None
    path = f"{path}.{kind}"
    if kind not in place.parts:
        found.add(path, f"does not belong into {place.name}; {', '.join(sorted(place.parts))} do")
        return None
    if kind == "text":
        return _text(found, path, part.text, place)
    return READERS[kind](found, path, getattr(part, kind))


def _text(found: Violations, path: str, text: pb.TextPart, place: Place) -> TextPart:
    if not text.text and not place.empty_text:
        found.add(f"{path}.text", f"must not be empty in {place.name}")
    if text.phase and not place.said_by_model:
        found.add(f"{path}.phase", f"does not belong into {place.name}; only ROLE_ASSISTANT has phases")
    return TextPart(text.text, text.phase)


def _image(found: Violations, path: str, image: pb.ImagePart) -> ImagePart:
    _source(found, path, image)
    return ImagePart(image.url, image.data, image.file_id, image.mime_type, image.detail)


def _file(found: Violations, path: str, file: pb.FilePart) -> FilePart:
    _source(found, path, file)
    if file.data and not file.filename:
        found.add(f"{path}.filename", "is required with data")
    return FilePart(file.url, file.data, file.file_id, file.filename, file.mime_type)


def _source(found: Violations, path: str, part: pb.ImagePart | pb.FilePart) -> None:
    source = part.WhichOneof("source")
    if source is None:
        found.add(f"{path}.source", "is not set; set one of url, data and file_id")
    elif not getattr(part, source):
        found.add(f"{path}.{source}", "must not be empty")
    elif source == "data" and not part.mime_type:
        found.add(f"{path}.mime_type", "is required with data")


def _tool_call(found: Violations, path: str, call: pb.ToolCallPart) -> ToolCallPart:
    found.required(f"{path}.call_id", call.call_id)
    found.required(f"{path}.name", call.name)
    return ToolCallPart(call.call_id, call.name, call.arguments)


def _tool_result(found: Violations, path: str, result: pb.ToolResultPart) -> ToolResultPart:
    found.required(f"{path}.call_id", result.call_id)
    return ToolResultPart(result.call_id, _parts(found, path, result.parts, TOOL_RESULT), result.is_error)


def _reasoning(found: Violations, path: str, part: pb.ReasoningPart) -> ReasoningPart:
    found.required(f"{path}.id", part.id)
    return ReasoningPart(part.id, tuple(part.summary), part.encrypted_content, tuple(part.content))


def _refusal(_found: Violations, _path: str, refusal: pb.RefusalPart) -> RefusalPart:
    return RefusalPart(refusal.text)


READERS: dict[str, Callable[[Violations, str, Any], Part]] = {
    "image": _image,
    "file": _file,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "reasoning": _reasoning,
    "refusal": _refusal,
}
"""Every part but text, which is judged by its place."""


def message_out(message: Message) -> pb.Message:
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
    """The one source that is set: naming another, even an empty one, would unset it."""
    sources = {"url": part.url, "data": part.data, "file_id": part.file_id}
    return {name: value for name, value in sources.items() if value}
