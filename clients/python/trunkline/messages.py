"""Short names for messages and their parts.

A message is the protobuf `Message` itself, not a copy in another shape: an answer of the service is sent back
byte for byte, with fields that this version does not know.
"""

import json
from collections.abc import Iterable, Sequence
from typing import cast

from trunkline.gen.trunkline.v1.message_pb2 import (
    ROLE_ASSISTANT,
    ROLE_DEVELOPER,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    FilePart,
    ImagePart,
    Message,
    Part,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

Content = str | Part
"""What may stand in a message: text, or a part made by the helpers below."""

Input = str | Part | Message | Sequence[str | Part | Message]
"""What a turn may be given: text, parts (of one user message), messages, or a mixture."""


def user(*content: Content) -> Message:
    """A message of the person or program that asks."""
    return _message(ROLE_USER, content)


def system(*content: Content) -> Message:
    """System rules inside the conversation."""
    return _message(ROLE_SYSTEM, content)


def developer(*content: Content) -> Message:
    """Developer rules inside the conversation."""
    return _message(ROLE_DEVELOPER, content)


def assistant(*content: Content) -> Message:
    """What the model is to believe that it said. Real answers are kept by the conversation itself."""
    return _message(ROLE_ASSISTANT, content)


def tool_result(call_id: str, output: object = None, *, is_error: bool = False) -> Message:
    """What a call returned: text, a part, a list of parts, None for nothing; all else goes as JSON."""
    result = ToolResultPart(call_id=call_id, parts=_output(output), is_error=is_error)
    return Message(role=ROLE_TOOL, parts=[Part(tool_result=result)])


def text(content: str) -> Part:
    return Part(text=TextPart(text=content))


def image_url(url: str, *, detail: str = "") -> Part:
    """An image at an https or data URL."""
    return Part(image=ImagePart(url=url, detail=detail))


def image_bytes(data: bytes, mime_type: str, *, detail: str = "") -> Part:
    return Part(image=ImagePart(data=data, mime_type=mime_type, detail=detail))


def image_id(file_id: str, *, detail: str = "") -> Part:
    """An image that was uploaded to the upstream."""
    return Part(image=ImagePart(file_id=file_id, detail=detail))


def file_url(url: str) -> Part:
    """A file at an https URL."""
    return Part(file=FilePart(url=url))


def file_bytes(data: bytes, filename: str, mime_type: str) -> Part:
    return Part(file=FilePart(data=data, filename=filename, mime_type=mime_type))


def file_id(identifier: str) -> Part:
    """A file that was uploaded to the upstream."""
    return Part(file=FilePart(file_id=identifier))


def text_of(message: Message) -> str:
    """All text of a message, joined; refusals, reasoning and tool calls are not text."""
    return "".join(part.text.text for part in message.parts)


def final_text_of(message: Message) -> str:
    """The text of the answer itself: what the model said on the way to it (`commentary`) is left out."""
    return "".join(part.text.text for part in message.parts if part.text.phase != "commentary")


def refusal_of(message: Message) -> str:
    return "".join(part.refusal.text for part in message.parts)


def tool_calls_of(message: Message) -> tuple[ToolCallPart, ...]:
    return tuple(part.tool_call for part in message.parts if part.HasField("tool_call"))


def as_messages(given: Input | None) -> list[Message]:
    """What a turn was given, as messages: text and parts that stand side by side are one user message."""
    if given is None:
        return []
    messages: list[Message] = []
    beside: list[Content] = []
    for item in [given] if isinstance(given, str | Part | Message) else given:
        if not isinstance(item, Message):
            beside.append(item)
            continue
        if beside:
            messages.append(user(*beside))
            beside = []
        messages.append(item)
    return [*messages, user(*beside)] if beside else messages


def _message(role: Role, content: Iterable[Content]) -> Message:
    return Message(role=role, parts=[_part(item) for item in content])


def _part(content: Content) -> Part:
    return text(content) if isinstance(content, str) else content


def _output(output: object) -> list[Part]:
    match output:
        case None:
            return []
        case str() | Part():
            return [_part(output)]
        case [*items] if items and all(isinstance(item, Part) for item in items):
            return cast("list[Part]", items)
        case _:
            return [text(json.dumps(output, ensure_ascii=False, allow_nan=False))]
