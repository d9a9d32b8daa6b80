"""Convert message content to the shape of the GenAI conventions (`{role, parts}`).

Used only where the operator asked for content. Bytes of images and files and encrypted reasoning are never
included.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, assert_never

from service.domain.events import StopReason
from service.domain.messages import (
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    UpstreamItemPart,
)
from service.telemetry import names
from service.telemetry.attributes import FINISH_REASONS

MAX_ITEM = 4096
"""The characters of an upstream item that are shown."""


def input_attributes(request: CompletionRequest) -> dict[str, str]:
    """Return messages, instructions and tools of the request as attributes."""
    attributes = {names.INPUT_MESSAGES: _dumps(_message(message) for message in request.messages)}
    if request.instructions:
        attributes[names.SYSTEM_INSTRUCTIONS] = _dumps([_text(request.instructions)])
    if request.tools:
        attributes[names.TOOL_DEFINITIONS] = _dumps(map(_tool, request.tools))
    return attributes


def output_attributes(message: Message, stop: StopReason) -> dict[str, str]:
    """Return the model's message as attributes."""
    return {names.OUTPUT_MESSAGES: _dumps([_message(message) | {"finish_reason": FINISH_REASONS[stop]}])}


def _dumps(values: Iterable[dict[str, Any]]) -> str:
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role.value, "parts": [_part(part) for part in message.parts]}


def _tool(tool: Tool) -> dict[str, Any]:
    """Of a definition only type and name are shown: it may hold the credentials of a server."""
    if tool.definition_json:
        return {"type": tool.type, "name": tool.name}
    return {"type": tool.type, "name": tool.name, "description": tool.description}


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart() | RefusalPart():
            return _text(part.text)
        case ReasoningPart():
            return {"type": "reasoning", "content": "\n".join((*part.summary, *part.content))}
        case ToolCallPart():
            return {"type": "tool_call", "id": part.call_id, "name": part.name, "arguments": part.arguments}
        case ToolResultPart():
            response = [_part(piece) for piece in part.parts]
            return {"type": "tool_call_response", "id": part.call_id, "response": response}
        case UpstreamItemPart():
            # It may hold an image: then only its size is shown, as of any other.
            short = len(part.json) <= MAX_ITEM
            return {"type": part.type} | ({"content": part.json} if short else {"size": len(part.json)})
        case ImagePart() | FilePart():
            return _attachment(part)
        case _:
            assert_never(part)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


def _attachment(part: ImagePart | FilePart) -> dict[str, Any]:
    """Return location and size, never the data. A data URL counts as data."""
    modality = "image" if isinstance(part, ImagePart) else "file"
    if part.file_id:
        return {"type": "file", "modality": modality, "file_id": part.file_id}
    if part.url and not part.url.startswith("data:"):
        return {"type": "uri", "modality": modality, "uri": part.url}
    size = len(part.data) or len(part.url)
    return {"type": "blob", "modality": modality, "mime_type": part.mime_type, "size": size}
