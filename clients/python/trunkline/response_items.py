"""Convert items of the Responses API to messages and back, without loss.

An item becomes parts where these hold all of it, and an `upstream_item` where they do not:

    {"role": "user", "content": "Hi."}                    USER: text
    {"type": "function_call", "call_id": "c1", …}         ASSISTANT: tool_call
    {"type": "function_call_output", "call_id": "c1", …}  TOOL: tool_result
    {"type": "web_search_call", "id": "ws_1", …}          ASSISTANT: upstream_item

Keys of an item that have no field are its `extra_json`. Items of the model that stand side by side are one
message: one answer, as the service compares it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trunkline.gen.trunkline.v1.message_pb2 import (
    ROLE_ASSISTANT,
    ROLE_DEVELOPER,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    TOOL_CALL_KIND_CUSTOM,
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
from trunkline.items import fields_of, upstream_item

ResponseItem = Mapping[str, Any]

ROLES = {"user": ROLE_USER, "system": ROLE_SYSTEM, "developer": ROLE_DEVELOPER, "assistant": ROLE_ASSISTANT}
NAMED = {
    "message": {"type", "id", "role", "content", "phase"},
    "reasoning": {"type", "id", "summary", "content", "encrypted_content"},
    "function_call": {"type", "id", "call_id", "name", "arguments"},
    "custom_tool_call": {"type", "id", "call_id", "name", "input"},
    "function_call_output": {"type", "id", "call_id", "output"},
    "custom_tool_call_output": {"type", "id", "call_id", "output"},
}
"""The keys of an item that fields hold. All others are its `extra_json`."""

CALLERS = {"item_reference", "compaction_trigger", "configuration_update", "local_shell_call_output"}
"""Items without a part that only a caller says."""
ANSWERS = ("_output", "_response")
"""How the types of those end that answer a call. The model says some, too: these have ids."""


def messages_from_items(items: Iterable[ResponseItem], *, placeholder_id: str = "") -> list[Message]:
    """Return the items as messages. `placeholder_id` is what a framework writes where an item has no id."""
    messages: list[Message] = []
    for item in items:
        named = not placeholder_id or item.get("id") != placeholder_id
        role, parts = _read(item if named else {key: item[key] for key in item if key != "id"})
        if role == ROLE_ASSISTANT and messages and messages[-1].role == role:
            messages[-1].parts.extend(parts)
        else:
            messages.append(Message(role=role, parts=parts))
    return messages


def items_from_message(message: Message) -> dict[int, dict[str, Any]]:
    """Return the items of an answer, in order, each with the index of its first part."""
    items: dict[int, dict[str, Any]] = {}
    before: Part | None = None
    for index, part in enumerate(message.parts):
        if before is not None and _share_an_item(before, part):
            next(reversed(items.values()))["content"].append(_content_of(part))
        else:
            items[index] = _written(part)
        before = part
    return items


def _read(item: ResponseItem) -> tuple[Role, list[Part]]:
    kind = item.get("type") or "message"
    match kind:
        case "message" if item["role"] == "assistant":
            role, parts = ROLE_ASSISTANT, _said(item)
        case "message":
            role, parts = ROLES[item["role"]], _input(item["content"])
        case "function_call_output" | "custom_tool_call_output":
            role, parts = ROLE_TOOL, _result(item)
        case "reasoning" | "function_call" | "custom_tool_call":
            role, parts = ROLE_ASSISTANT, [_thought(item) if kind == "reasoning" else _call(item)]
        case _:
            return _role_of(kind, item), [_verbatim(kind, item)]
    if not parts:
        # What no part can hold. In the model's own words there is nothing like it.
        return (ROLE_USER if role in (ROLE_SYSTEM, ROLE_DEVELOPER) else role), [_verbatim(kind, item)]
    ours = NAMED[kind] | ({"status"} if role == ROLE_ASSISTANT else set())
    if extra := {key: value for key, value in item.items() if key not in ours}:
        parts[0].extra_json = _json(extra)
    for part in parts:
        part.item_id = item.get("id") or ""
    return role, parts


def _role_of(kind: str, item: ResponseItem) -> Role:
    if kind in CALLERS or (kind.endswith(ANSWERS) and not item.get("id")):
        return ROLE_TOOL
    return ROLE_ASSISTANT


def _verbatim(kind: str, item: ResponseItem) -> Part:
    part = upstream_item(item if item.get("type") else {"type": kind, **item})
    if item_id := item.get("id"):
        part.item_id = item_id
    return part


def _said(item: ResponseItem) -> list[Part]:
    """Return the parts of what the model said. None where one of its contents has no part."""
    content, phase = item["content"], item.get("phase") or ""
    if isinstance(content, str):
        return [Part(text=TextPart(text=content, phase=phase))]
    parts: list[Part] = []
    for one in content:
        match one.get("type"):
            case "output_text" | "input_text" | "text":
                annotations, logprobs = (_list_json(one.get(name)) for name in ("annotations", "logprobs"))
                text = TextPart(
                    text=one["text"], phase=phase, annotations_json=annotations, logprobs_json=logprobs
                )
                parts.append(Part(text=text))
            case "refusal":
                parts.append(Part(refusal=RefusalPart(text=one["refusal"])))
            case _:
                return []
    return parts


def _input(content: str | Sequence[ResponseItem]) -> list[Part]:
    """Return the parts of what the caller said. None where one of the contents has no part."""
    if isinstance(content, str):
        return [Part(text=TextPart(text=content))]
    parts = [_input_part({key: value for key, value in one.items() if value is not None}) for one in content]
    return [part for part in parts if part is not None] if None not in parts else []


def _input_part(content: ResponseItem) -> Part | None:
    match content:
        case {"type": "input_text" | "output_text", "text": str(text), **more} if not more:
            return Part(text=TextPart(text=text))
        case {"type": "input_image", "image_url": str(url), **more} if more.keys() <= {"detail"}:
            return Part(image=ImagePart(url=url, detail=more.get("detail", "")))
        case {"type": "input_image", "file_id": str(name), **more} if more.keys() <= {"detail"}:
            return Part(image=ImagePart(file_id=name, detail=more.get("detail", "")))
        case {"type": "input_file", "file_url": str(url), **more} if more.keys() <= {"filename"}:
            return Part(file=FilePart(url=url, filename=more.get("filename", "")))
        case {"type": "input_file", "file_id": str(name), **more} if not more:
            return Part(file=FilePart(file_id=name))
        case _:
            return None


def _result(item: ResponseItem) -> list[Part]:
    output = item["output"]
    parts = _input(output) if output else []
    if output and not parts:
        return []
    return [Part(tool_result=ToolResultPart(call_id=item["call_id"], parts=parts))]


def _call(item: ResponseItem) -> Part:
    call = ToolCallPart(call_id=item["call_id"], name=item["name"])
    if item["type"] == "custom_tool_call":
        call.kind, call.arguments = TOOL_CALL_KIND_CUSTOM, item["input"]
    else:
        call.arguments = item["arguments"]
    return Part(tool_call=call)


def _thought(item: ResponseItem) -> Part:
    thought = ReasoningPart(
        id=item.get("id") or "",
        summary=[one["text"] for one in item.get("summary") or ()],
        content=[one["text"] for one in item.get("content") or ()],
        encrypted_content=item.get("encrypted_content") or "",
    )
    return Part(reasoning=thought)


def _share_an_item(before: Part, part: Part) -> bool:
    """Whether both are contents of one message of the upstream."""
    if not {before.WhichOneof("part"), part.WhichOneof("part")} <= {"text", "refusal"}:
        return False
    same_phase = not part.HasField("text") or before.text.phase == part.text.phase
    return before.item_id == part.item_id and same_phase and not part.extra_json


def _written(part: Part) -> dict[str, Any]:
    item_id = part.item_id or part.reasoning.id
    item: dict[str, Any] = {"id": item_id} if item_id else {}
    match part.WhichOneof("part"):
        case "reasoning":
            thought = part.reasoning
            summary = [{"type": "summary_text", "text": text} for text in thought.summary]
            item |= {"type": "reasoning", "summary": summary}
            if thought.content:
                item["content"] = [{"type": "reasoning_text", "text": text} for text in thought.content]
            if thought.encrypted_content:
                item["encrypted_content"] = thought.encrypted_content
        case "tool_call":
            call = part.tool_call
            custom = call.kind == TOOL_CALL_KIND_CUSTOM
            item["type"] = "custom_tool_call" if custom else "function_call"
            item |= {"call_id": call.call_id, "name": call.name, "status": "completed"}
            item["input" if custom else "arguments"] = call.arguments
        case "upstream_item":
            return fields_of(part.upstream_item.json)
        case _:
            item |= {"type": "message", "role": "assistant", "status": "completed"}
            item["content"] = [_content_of(part)]
            if part.text.phase:
                item["phase"] = part.text.phase
    return item | fields_of(part.extra_json)


def _content_of(part: Part) -> dict[str, Any]:
    if part.HasField("refusal"):
        return {"type": "refusal", "refusal": part.refusal.text}
    content = {"type": "output_text", "text": part.text.text}
    for name, written in (("annotations", part.text.annotations_json), ("logprobs", part.text.logprobs_json)):
        content[name] = json.loads(written or "[]")
    return content


def _list_json(values: Any) -> str:
    return _json(values) if values else ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
