"""Make LangChain's messages, and the chunks of streamed ones, of what a turn says."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import UsageMetadata

from trunkline.errors import OutputError
from trunkline.events import (
    Done,
    Event,
    ItemProgress,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCallDelta,
)
from trunkline.gen.trunkline.v1.message_pb2 import Part
from trunkline.langchain.blocks import PROVIDER, SERVER_TOOLS, Block, blocks_of
from trunkline.reports import Usage

METADATA = {"output_version": "v1", "model_provider": PROVIDER}
"""Of each message and chunk: its content is a list of standard blocks, and whose they are."""

TEXTS = {
    "text": ("text",),
    "refusal": ("refusal",),
    "reasoning": ("reasoning",),
    "tool_call_chunk": ("id", "name", "args"),
    "server_tool_call_chunk": ("name",),
}
"""What the deltas of a block have said by its end."""


def answer_from(done: Done) -> AIMessage:
    blocks: list[Any] = [
        block for index, part in enumerate(done.message.parts) for block in blocks_of(part, index)
    ]
    return AIMessage(
        content=blocks,
        tool_calls=[_call(block) for block in blocks if block["type"] == "tool_call"],
        invalid_tool_calls=[_call(block) for block in blocks if block["type"] == "invalid_tool_call"],
        usage_metadata=_usage(done.usage),
        response_metadata=_metadata(done),
    )


class Chunks:
    """The chunks of one turn. `whole` names the tools whose calls come in one piece: custom ones."""

    def __init__(self, whole: Collection[str]) -> None:
        self._whole = whole
        self._streamed: dict[int, str] = {}  # content index → type of its block

    def of(self, event: Event) -> AIMessageChunk | None:
        """None: nothing to show. Raises OutputError where the answer ends within a call's arguments."""
        match event:
            case TextDelta(content_index=index, delta=delta):
                return self._delta(index, {"type": "text", "text": delta})
            case ReasoningDelta(content_index=index, delta=delta):
                return self._delta(index, {"type": "reasoning", "reasoning": delta})
            case RefusalDelta(content_index=index, delta=delta):
                return self._delta(index, {"type": "refusal", "refusal": delta})
            case ToolCallDelta(name=name) if name not in self._whole:
                return self._call_delta(event)
            case ItemProgress(item_type=kind, content_index=index) if kind in SERVER_TOOLS:
                return self._server_call(index, kind)
            case Done():
                return self._last(event)
        return None

    def _delta(self, index: int, block: Block) -> AIMessageChunk:
        self._streamed[index] = block["type"]
        return AIMessageChunk(content=[block | {"index": index}], response_metadata=dict(METADATA))

    def _call_delta(self, event: ToolCallDelta) -> AIMessageChunk:
        """Joined chunks add their texts, so the name is said once."""
        index = event.content_index
        first = index not in self._streamed
        chunk: Any = {"id": event.call_id, "name": event.name} if first else {"id": None, "name": None}
        chunk |= {"type": "tool_call_chunk", "args": event.delta, "index": index}
        self._streamed[index] = "tool_call_chunk"
        return AIMessageChunk(content=[chunk], tool_call_chunks=[chunk], response_metadata=dict(METADATA))

    def _server_call(self, index: int, kind: str) -> AIMessageChunk | None:
        """A hosted tool begins: its block takes its place among the others. None: it has one."""
        if index in self._streamed:
            return None
        name = kind.removesuffix("_call")
        return self._delta(index, {"type": "server_tool_call_chunk", "name": name, "args": ""})

    def _last(self, done: Done) -> AIMessageChunk:
        """What the deltas did not say: ids, citations, sealed reasoning, items that have no deltas."""
        parts = done.message.parts
        if cut := [index for index in self._streamed if index >= len(parts)]:
            # LangChain completes half a call's arguments, and an agent would run it.
            raise OutputError(done, f"the answer ends ({done.stop_reason}) within part {cut[0]}, a tool call")
        blocks: list[Any] = [block for index, part in enumerate(parts) for block in self._rest(index, part)]
        calls: list[Any] = [
            {key: block[key] for key in ("id", "name", "args", "index")}
            for block in blocks
            if block["type"] == "tool_call_chunk" and "name" in block
        ]
        return AIMessageChunk(
            content=blocks,
            tool_call_chunks=calls,
            usage_metadata=_usage(done.usage),
            response_metadata=_metadata(done),
        )

    def _rest(self, index: int, part: Part) -> list[Block]:
        first, *more = list(blocks_of(part, index))
        streamed = index in self._streamed
        match first["type"]:
            case "tool_call" | "server_tool_call" as kind:
                first |= {"type": f"{kind}_chunk", "args": json.dumps(first["args"], ensure_ascii=False)}
            case "invalid_tool_call":
                first = {key: value for key, value in first.items() if key != "error"}
                first["type"] = "tool_call_chunk"
        if streamed:  # joined chunks add their texts
            said = TEXTS.get(first["type"], ())
            first = {key: value for key, value in first.items() if key not in said}
        return [first, *more]


def _call(block: Block) -> Block:
    return {key: block[key] for key in ("type", "id", "name", "args", "error") if key in block}


def _usage(usage: Usage) -> UsageMetadata:
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        input_token_details={
            "cache_read": usage.cached_input_tokens,
            "cache_creation": usage.cache_write_tokens,
        },
        output_token_details={"reasoning": usage.reasoning_tokens},
    )


def _metadata(done: Done) -> dict[str, Any]:
    return METADATA | {
        "id": done.report.response_id,
        "model_name": done.model,
        "stop_reason": done.stop_reason,
        "service_tier": done.service_tier,
        "created_at": done.created_at.timestamp() if done.created_at else None,
        "continuation": done.continuation,
        "report": asdict(done.report),
    }
