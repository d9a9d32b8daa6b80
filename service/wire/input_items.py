"""Encode items as the upstream's input, one JSON object each.

What the model generated is sent back as `output_text` and `refusal`; everything else as `input_*`.
"""

from __future__ import annotations

from base64 import b64encode

from service.domain.messages import (
    FilePart,
    ImagePart,
    Item,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

Json = dict[str, object]

BASE64_STEP = 3 * 256 * 1024

TOOL_ERROR_MARK = "[tool error] "
"""Prefix of a failed tool's output: the upstream has no flag for it."""


def item_json(item: Item, *, store: bool) -> Json | None:
    """Encode the item.

    Returns None for reasoning without encrypted content where responses are not stored: it is only an id,
    which the upstream could not look up.
    """
    match item.parts[0]:
        case ToolCallPart() as call:
            return {
                "type": "function_call",
                "call_id": call.call_id,
                "name": call.name,
                "arguments": call.arguments,
            }
        case ToolResultPart() as result:
            return {"type": "function_call_output", "call_id": result.call_id, "output": _output(result)}
        case ReasoningPart() as reasoning:
            return _reasoning(reasoning) if store or reasoning.encrypted_content else None
        case _:
            return _message(item)


def _message(item: Item) -> Json:
    answer = item.role is Role.ASSISTANT
    message: Json = {
        "type": "message",
        "role": item.role.value,
        "content": [_said(part) if answer else _input(part) for part in item.parts],
    }
    # All texts of an item have one phase.
    if isinstance(first := item.parts[0], TextPart) and first.phase:
        message["phase"] = first.phase
    return message


def _said(part: Part) -> Json:
    match part:
        case TextPart(text):
            return {"type": "output_text", "text": text, "annotations": []}
        case RefusalPart(text):
            return {"type": "refusal", "refusal": text}
        case _:
            raise TypeError(f"{type(part).__name__} cannot be part of a model's message")


def _input(part: Part) -> Json:
    match part:
        case TextPart(text):
            return {"type": "input_text", "text": text}
        case ImagePart():
            return _image(part)
        case FilePart():
            return _file(part)
        case _:
            raise TypeError(f"{type(part).__name__} cannot be input")


def _image(image: ImagePart) -> Json:
    # The upstream's types require `detail`; "auto" is its default.
    detail = image.detail or "auto"
    if image.file_id:
        return {"type": "input_image", "file_id": image.file_id, "detail": detail}
    url = image.url or _data_url(image.mime_type, image.data)
    return {"type": "input_image", "image_url": url, "detail": detail}


def _file(file: FilePart) -> Json:
    written: Json = {"type": "input_file"}
    if file.file_id:
        written["file_id"] = file.file_id
    elif file.url:
        written["file_url"] = file.url
    else:
        written["file_data"] = _data_url(file.mime_type, file.data)
    # The upstream refuses a name with a file id: that file has one already.
    if file.filename and not file.file_id:
        written["filename"] = file.filename
    return written


def _data_url(mime_type: str, data: bytes) -> str:
    # In steps, since one call holds the GIL for all of 32 MiB. A step is a multiple of three bytes, which are
    # written as four characters, so the pieces of base64 join without padding between them.
    steps = (b64encode(data[at : at + BASE64_STEP]).decode() for at in range(0, len(data), BASE64_STEP))
    return f"data:{mime_type};base64,{''.join(steps)}"


def _output(result: ToolResultPart) -> str | list[Json]:
    mark = TOOL_ERROR_MARK if result.is_error else ""
    match result.parts:
        case ():
            return mark
        case (TextPart(text),):
            return mark + text
        case parts:
            marked: list[Json] = [{"type": "input_text", "text": mark}] if mark else []
            return marked + [_input(part) for part in parts]


def _reasoning(part: ReasoningPart) -> Json:
    written: Json = {
        "type": "reasoning",
        "id": part.id,
        "summary": [{"type": "summary_text", "text": text} for text in part.summary],
    }
    if part.content:
        written["content"] = [{"type": "reasoning_text", "text": text} for text in part.content]
    if part.encrypted_content:
        written["encrypted_content"] = part.encrypted_content
    return written
