"""Convert messages of the domain to messages of the contract."""

from __future__ import annotations

from typing import Any, assert_never

from service.domain.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    UpstreamItemPart,
)
from service.gen.trunkline.v1 import message_pb2 as pb
from service.rpc.convert.enums import ROLES_OUT, TOOL_KINDS_OUT


def message_out(message: Message) -> pb.Message:
    """Convert a message of the domain to the contract."""
    return pb.Message(role=ROLES_OUT[message.role], parts=[_part_out(part) for part in message.parts])


def _part_out(part: Part) -> pb.Part:
    written = _content_out(part)
    if part.item_id:
        written.item_id = part.item_id
    if part.extra_json:
        written.extra_json = part.extra_json
    return written


def _content_out(part: Part) -> pb.Part:
    match part:
        case TextPart():
            return pb.Part(text=_text_out(part))
        case RefusalPart(text):
            return pb.Part(refusal=pb.RefusalPart(text=text))
        case ToolCallPart(call_id, name, arguments, kind):
            call = pb.ToolCallPart(call_id=call_id, name=name, arguments=arguments, kind=TOOL_KINDS_OUT[kind])
            return pb.Part(tool_call=call)
        case ReasoningPart(id_, summary, sealed, content):
            reasoning = pb.ReasoningPart(id=id_, summary=summary, encrypted_content=sealed, content=content)
            return pb.Part(reasoning=reasoning)
        case UpstreamItemPart(type_, json):
            return pb.Part(upstream_item=pb.UpstreamItemPart(type=type_, json=json))
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


def _text_out(part: TextPart) -> pb.TextPart:
    # What is empty is not passed: each argument of the constructor costs, set or not.
    text = pb.TextPart(text=part.text, phase=part.phase)
    if part.annotations_json:
        text.annotations_json = part.annotations_json
    if part.logprobs_json:
        text.logprobs_json = part.logprobs_json
    return text


def _source_out(part: ImagePart | FilePart) -> dict[str, Any]:
    """Return the one source that is set: passing another, even an empty one, would unset it."""
    sources = {"url": part.url, "data": part.data, "file_id": part.file_id}
    return {name: value for name, value in sources.items() if value}
