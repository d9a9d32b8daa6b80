"""Convert LangChain's messages to those of a turn."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from trunkline.gen.trunkline.v1.message_pb2 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    FilePart,
    ImagePart,
    Message,
    Part,
    ToolResultPart,
)
from trunkline.items import upstream_item
from trunkline.langchain.blocks import call_part, kept_part, part_of, place_of
from trunkline.messages import text


def read(messages: Sequence[BaseMessage]) -> tuple[str, list[Message]]:
    """Return the instructions (a system message at the beginning, whose change costs no chain) and the rest.

    Raises ValueError for what no part can hold.
    """
    rules = [one.text for one in messages[:1] if _is_plain(one)]
    rest = list(enumerate(messages))[len(rules) :]
    return "".join(rules), [_read(number, one) for number, one in rest]


def _is_plain(message: BaseMessage) -> bool:
    kinds = {block["type"] for block in message.content_blocks}
    return isinstance(message, SystemMessage) and kinds <= {"text"}


def continuation_of(messages: Sequence[BaseMessage]) -> str:
    """The token of the last answer, where the upstream stores it: another process goes on with it."""
    last = next((one for one in reversed(messages) if isinstance(one, AIMessage)), None)
    return str(last.response_metadata.get("continuation") or "") if last else ""


def _read(number: int, message: BaseMessage) -> Message:
    where = f"messages[{number}]"
    match message:
        case AIMessage():
            return Message(role=ROLE_ASSISTANT, parts=_said(message))
        case ToolMessage():
            result = ToolResultPart(
                call_id=message.tool_call_id,
                parts=_parts(where, message),
                is_error=message.status == "error",
            )
            return Message(role=ROLE_TOOL, parts=[Part(tool_result=result)])
        case HumanMessage():
            return Message(role=ROLE_USER, parts=_parts(where, message))
        case SystemMessage():
            return Message(role=ROLE_SYSTEM, parts=_parts(where, message))
    raise ValueError(
        f"{where}: a {type(message).__name__} has no role here; use one of the four standard ones"
    )


def _said(message: AIMessage) -> Iterator[Part]:
    """Yield the parts of an answer. `tool_calls` is what counts: people and middleware edit it."""
    calls = list(message.tool_calls)
    blocks: list[Any] = message.content_blocks
    for block in sorted(blocks, key=place_of):
        match block["type"]:
            case "tool_call":
                if call := next((one for one in calls if one["id"] == block["id"]), None):
                    calls.remove(call)
                    yield call_part(call, kept_part(block))
            case "invalid_tool_call" | "tool_call_chunk":
                yield call_part(block, kept_part(block))
            case _:
                if part := part_of(block):
                    yield part
    for call in calls:
        yield call_part(call, Part())


def _parts(where: str, message: BaseMessage) -> list[Part]:
    return [_part(where, block) for block in message.content_blocks]


def _part(where: str, block: Mapping[str, Any]) -> Part:
    match block:
        case {"type": "text" | "text-plain", "text": str(content)}:
            return text(content)
        case {"type": "image"}:
            return Part(image=ImagePart(**_source(block), detail=block.get("extras", {}).get("detail", "")))
        case {"type": "file"}:
            name = block.get("filename") or block.get("extras", {}).get("filename", "")
            return Part(file=FilePart(**_source(block), filename=name))
        case {"type": "non_standard", "value": {"type": str()} as item}:
            return upstream_item(item)
    raise ValueError(f"{where}: a block of type {block['type']!r} has no place in a turn")


def _source(block: Mapping[str, Any]) -> dict[str, Any]:
    """The one source of an image or a file."""
    if data := block.get("base64"):
        return {"data": base64.b64decode(data), "mime_type": block.get("mime_type", "")}
    return {key: block[key] for key in ("url", "file_id") if block.get(key)}
