"""Convert what the model said to LangChain's standard content blocks and back, without loss.

    text, refusal    text (with its citations), refusal
    reasoning        reasoning
    tool_call        tool_call; invalid_tool_call where the arguments are no JSON object
    upstream_item    server_tool_call and server_tool_result where the upstream ran it, else non_standard

What a standard block has no field for (phase, ids, sealed reasoning, an item as it was written) is kept in
its `extras`: the part itself, but for what the block says. So what a caller edits in a block is sent, and all
else goes back as it came. A block of another provider loses only what no other upstream could read.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict

from trunkline.gen.trunkline.v1.message_pb2 import TOOL_CALL_KIND_CUSTOM, Message, Part, ToolCallPart
from trunkline.items import annotations_of, fields_of

Block = dict[str, Any]

PROVIDER = "trunkline"
"""The name under which a block's `extras` keep its part; also the provider that messages name."""

SERVER_TOOLS = (
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_call",
)
OUTPUTS = ("results", "outputs", "output", "error")
NOT_ARGUMENTS = {"id", "type", "status", "result", *OUTPUTS}

CUSTOM_ARGUMENT = "__arg1"
"""LangChain's own name for the one argument of a tool that takes a text."""


def blocks_of(part: Part, index: int) -> Iterator[Block]:
    """Yield the blocks of a part. `index` is its place in the message; streamed blocks are joined by it."""
    shared: Block = {"index": index} | ({"id": part.item_id} if part.item_id else {})
    match part.WhichOneof("part"):
        case "text":
            yield (
                {"type": "text", "text": part.text.text, "annotations": _annotations(part)}
                | _kept(part, index)
                | shared
            )
        case "refusal":
            yield {"type": "refusal", "refusal": part.refusal.text} | _kept(part, index) | shared
        case "reasoning":
            shown = "\n\n".join(part.reasoning.summary or part.reasoning.content)
            yield {"type": "reasoning", "reasoning": shown} | _kept(part, index) | shared
        case "tool_call":
            yield call_block(part.tool_call) | _kept(part, index) | {"index": index}
        case "upstream_item":
            yield from _item_blocks(part, index, shared)


def part_of(block: Mapping[str, Any]) -> Part | None:
    """Return the part of a block, but for calls. None: no upstream but another provider's could read it."""
    part = kept_part(block)
    match block["type"]:
        case "text":
            part.text.text = block["text"]
        case "refusal":
            part.refusal.text = block["refusal"]
    return part if part.WhichOneof("part") else None


def kept_part(block: Mapping[str, Any]) -> Part:
    return ParseDict(_extras(block).get("part", {}), Part(), ignore_unknown_fields=True)


def place_of(block: Mapping[str, Any]) -> int:
    """Where the model said it: streamed blocks come as they end. What somebody added stands last."""
    return int(_extras(block).get("index", sys.maxsize))


def call_block(call: ToolCallPart) -> Block:
    if call.kind == TOOL_CALL_KIND_CUSTOM:
        arguments: Any = {CUSTOM_ARGUMENT: call.arguments}
    else:
        try:
            arguments = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            arguments = None
    named = {"id": call.call_id, "name": call.name}
    if isinstance(arguments, dict):
        return {"type": "tool_call", "args": arguments} | named
    error = "the arguments are not a JSON object"
    return {"type": "invalid_tool_call", "args": call.arguments, "error": error} | named


def call_part(call: Mapping[str, Any], kept: Part) -> Part:
    """Return the part of a tool call as it stands now; `kept` is that of its block."""
    part = Part()
    part.CopyFrom(kept)
    part.tool_call.call_id, part.tool_call.name = call["id"] or "", call["name"] or ""
    if call_block(kept.tool_call)["args"] != call["args"] or not kept.HasField("tool_call"):
        args = call["args"]
        if part.tool_call.kind == TOOL_CALL_KIND_CUSTOM:
            args = args.get(CUSTOM_ARGUMENT, "")
        part.tool_call.arguments = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
    return part


def _kept(part: Part, index: int) -> Block:
    """The extras: the part without what its block says, and its place, which LangChain drops for calls."""
    rest = Part()
    rest.CopyFrom(part)
    match part.WhichOneof("part"):
        case "text":
            rest.text.ClearField("text")
        case "refusal":
            rest.refusal.ClearField("text")
    return {
        "extras": {PROVIDER: {"index": index, "part": MessageToDict(rest, preserving_proto_field_name=True)}}
    }


def _extras(block: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = block.get("extras", {}).get(PROVIDER, {})
    return found


def _annotations(part: Part) -> list[Block]:
    """The citations, in the standard form where they have a URL; their original is in the extras."""
    return [
        {"type": "citation"}
        | {key: one[key] for key in ("url", "title", "start_index", "end_index") if key in one}
        if one.get("type") == "url_citation"
        else {"type": "non_standard_annotation", "value": one}
        for one in annotations_of(Message(parts=[part]))
    ]


def _item_blocks(part: Part, index: int, shared: Block) -> Iterator[Block]:
    item = fields_of(part.upstream_item.json)
    if part.upstream_item.type not in SERVER_TOOLS:
        yield {"type": "non_standard", "value": item} | _kept(part, index) | shared
        return
    name, identifier = part.upstream_item.type.removesuffix("_call"), str(item.get("id", ""))
    arguments = {key: value for key, value in item.items() if key not in NOT_ARGUMENTS}
    call = {"type": "server_tool_call", "name": name, "args": arguments}
    yield call | _kept(part, index) | shared | {"id": identifier}
    result: Block = {"type": "server_tool_result", "tool_call_id": identifier, "status": "success"}
    if item.get("error") or item.get("status") == "failed":
        result["status"] = "error"
    result |= {"output": {key: item[key] for key in OUTPUTS if item.get(key) is not None}}
    yield result | {"index": f"lc_result_{index}"}
