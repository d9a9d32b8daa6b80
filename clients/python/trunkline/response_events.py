"""Write the events of a turn as the events of a streamed response, for frameworks that read these.

Deltas come before the ids of their items. So until an item is done it has a placeholder for an id, and
`output_index`, which is the index of the item's first part, says what belongs together. Where a framework
joins by ids what belongs together, the placeholders last: `SaidParts` then knows what each stood for.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trunkline.errors import TrunklineError
from trunkline.events import (
    Done,
    Event,
    ItemProgress,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
)
from trunkline.items import fields_of
from trunkline.reports import Usage
from trunkline.response_items import items_from_message

Json = dict[str, Any]

INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""The stop reasons of an answer that was cut off."""


BEGINNINGS: dict[str, Json] = {
    "code_interpreter_call": {"code": "", "container_id": "", "outputs": None},
    "file_search_call": {"queries": [], "results": None},
    "image_generation_call": {"result": None},
    "mcp_call": {"server_label": "", "name": "", "arguments": ""},
    "mcp_list_tools": {"server_label": "", "tools": []},
}
"""What items of these types have when they are announced, before anything is known of them."""


class ResponseEvents:
    """The events of one response, numbered from 0.

    `tools` are the definitions of those that the request offers: calls of custom ones are free text, and an
    MCP server that is the only one is the one that is called. `lasting`: each item has a placeholder of its
    own, by `lasting_id`, and keeps it.
    """

    def __init__(
        self,
        model: str,
        *,
        placeholder_id: str,
        tools: Iterable[Mapping[str, Any]] = (),
        lasting: bool = False,
    ) -> None:
        self._model = model
        self._placeholder = placeholder_id
        offered = list(tools)
        self._custom = {tool["name"] for tool in offered if tool["type"] == "custom"}
        servers = {tool["server_label"] for tool in offered if tool["type"] == "mcp"}
        self._server = servers.pop() if len(servers) == 1 else ""
        self._lasting = lasting
        self._count = 0
        self._open: set[int] = set()
        self._created_at = time.time()

    def write(self, event: Event) -> Iterator[Json]:
        """Yield what the event is in a streamed response; nothing where there is nothing like it."""
        match event:
            case Start():
                yield self._event("response.created", response=self._response("in_progress"))
            case TextDelta(index, delta):
                yield from self._message(index, {"type": "output_text", "text": "", "annotations": []})
                yield self._at(index, "response.output_text.delta", content_index=0, delta=delta, logprobs=[])
            case RefusalDelta(index, delta):
                yield from self._message(index, {"type": "refusal", "refusal": ""})
                yield self._at(index, "response.refusal.delta", content_index=0, delta=delta)
            case ReasoningDelta(index, delta, of):
                yield from self._reasoning(index, delta, of)
            case ToolCallDelta():
                yield from self._call(event)
            case ItemProgress():
                yield from self._progress(event)
            case Done():
                yield from self._done(event)

    def fail(self, error: TrunklineError) -> Json:
        """Return the end of a response that failed."""
        code = error.upstream.code if error.upstream is not None else ""
        outcome: Json = {"error": {"code": code or error.reason, "message": str(error)}}
        if error.usage is not None:
            outcome["usage"] = response_usage(error.usage)
        return self._event("response.failed", response=self._response("failed") | outcome)

    def _message(self, index: int, part: Json) -> Iterator[Json]:
        if index not in self._open:
            message = {"type": "message", "role": "assistant", "status": "in_progress", "content": []}
            yield self._added(index, message)
            yield self._at(index, "response.content_part.added", content_index=0, part=part)

    def _reasoning(self, index: int, delta: str, of: str) -> Iterator[Json]:
        if index not in self._open:
            yield self._added(index, {"type": "reasoning", "summary": []})
        if of == "summary":
            yield self._at(index, "response.reasoning_summary_text.delta", summary_index=0, delta=delta)
        else:
            yield self._at(index, "response.reasoning_text.delta", content_index=0, delta=delta)

    def _call(self, event: ToolCallDelta) -> Iterator[Json]:
        index, custom = event.content_index, event.name in self._custom
        if index not in self._open:
            call: Json = {"call_id": event.call_id, "name": event.name, "status": "in_progress"}
            more = (
                {"type": "custom_tool_call", "input": ""}
                if custom
                else {"type": "function_call", "arguments": ""}
            )
            yield self._added(index, call | more)
        if event.delta:
            kind = "custom_tool_call_input" if custom else "function_call_arguments"
            yield self._at(index, f"response.{kind}.delta", delta=event.delta)

    def _progress(self, event: ItemProgress) -> Iterator[Json]:
        """Pass on the upstream's own event. One that was too large for a message is no event here."""
        if fields := fields_of(event.json):
            index = event.content_index
            if index not in self._open:
                yield self._added(index, self._announced(event.item_type, fields))
            yield self._event(event.event_type, **fields | {"output_index": index})

    def _announced(self, kind: str, progress: Json) -> Json:
        item: Json = {"type": kind, "status": "in_progress"} | BEGINNINGS.get(kind, {})
        if "server_label" in item:
            item["server_label"] = self._server
        return item | ({"id": progress["item_id"]} if "item_id" in progress else {})

    def _done(self, done: Done) -> Iterator[Json]:
        items = items_from_message(done.message)
        for index, item in items.items():
            if self._lasting and not done.message.parts[index].HasField("upstream_item"):
                item["id"] = self._item_id(index)
            if index not in self._open:
                yield self._added(index, item)
            yield from self._item_done(index, item)
        status = "incomplete" if done.stop_reason in INCOMPLETE else "completed"
        outcome = _outcome(done) | {"output": list(items.values())}
        yield self._event(f"response.{status}", response=self._response(status) | outcome)

    def _item_done(self, index: int, item: Json) -> Iterator[Json]:
        item_id = item.get("id", self._item_id(index))
        match item:
            case {"type": "message", "content": [*contents]}:
                for number, part in enumerate(contents):
                    at = {"item_id": item_id, "content_index": number}
                    if part["type"] == "output_text":
                        text = {"text": part["text"], "logprobs": part["logprobs"]}
                        yield self._at(index, "response.output_text.done", **at, **text)
                    else:
                        yield self._at(index, "response.refusal.done", **at, refusal=part["refusal"])
                    yield self._at(index, "response.content_part.done", **at, part=part)
            case {"type": "function_call", "arguments": arguments}:
                kind = "response.function_call_arguments.done"
                yield self._at(index, kind, item_id=item_id, arguments=arguments)
            case {"type": "custom_tool_call", "input": text}:
                yield self._at(index, "response.custom_tool_call_input.done", item_id=item_id, input=text)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _added(self, index: int, item: Json) -> Json:
        self._open.add(index)
        item = {"id": self._item_id(index)} | item
        return self._event("response.output_item.added", output_index=index, item=item)

    def _at(self, index: int, kind: str, **fields: Any) -> Json:
        return self._event(kind, **{"item_id": self._item_id(index), "output_index": index} | fields)

    def _item_id(self, index: int) -> str:
        return lasting_id(self._placeholder, index) if self._lasting else self._placeholder

    def _event(self, kind: str, **fields: Any) -> Json:
        number, self._count = self._count, self._count + 1
        return fields | {"type": kind, "sequence_number": number}

    def _response(self, status: str) -> Json:
        return {
            "id": self._placeholder,
            "object": "response",
            "created_at": self._created_at,
            "model": self._model,
            "status": status,
            "output": [],
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        }


def lasting_id(placeholder_id: str, index: int) -> str:
    """Return the placeholder of the item that begins with a part of this index."""
    return f"{placeholder_id}_{index}"


def _outcome(done: Done) -> Json:
    outcome: Json = {"usage": response_usage(done.usage)}
    if done.report.response_id:
        outcome["id"] = done.report.response_id
    if done.model:
        outcome["model"] = done.model
    if done.service_tier:
        outcome["service_tier"] = done.service_tier
    if reason := INCOMPLETE.get(done.stop_reason):
        outcome["incomplete_details"] = {"reason": reason}
    return outcome


def response_usage(usage: Usage) -> Json:
    """Return the usage as the upstream wrote it, completed by what the service read of it."""
    wrote = fields_of(usage.details_json)
    read = {"cached_tokens": usage.cached_input_tokens, "cache_write_tokens": usage.cache_write_tokens}
    thought = {"reasoning_tokens": usage.reasoning_tokens}
    return wrote | {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": (wrote.get("input_tokens_details") or {}) | read,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": (wrote.get("output_tokens_details") or {}) | thought,
        "total_tokens": usage.total_tokens,
    }
