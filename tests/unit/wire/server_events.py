"""Build server events as an upstream sends them."""

import json
from dataclasses import replace
from typing import Any

from service.domain.messages import ReasoningPart

TEXTS = (
    "output_text",
    "refusal",
    "function_call_arguments",
    "custom_tool_call_input",
    "reasoning_summary_text",
    "reasoning_text",
)
DELTAS = [f"response.{text}.delta" for text in TEXTS]
DONES = [f"response.{text}.done" for text in TEXTS]
ITEMS = ["response.output_item.added", "response.output_item.done"]
BEGINNINGS = ["response.queued", "response.created", "response.in_progress"]
ENDS = ["response.completed", "response.incomplete", "response.failed", "response.done"]
ERRORS = ["error", "response.error", ""]


def frame(kind, **fields):
    return json.dumps({"type": kind, **fields})


def created(response_id="resp_1", **fields):
    response = {"id": response_id, "model": "gpt-6", "created_at": 1700000000, "status": "in_progress"}
    return frame("response.created", response=response | fields)


def ended(kind="response.completed", response_id="resp_1", output=(), **fields):
    response = {"id": response_id, "model": "gpt-6-2026", "output": list(output), **fields}
    return frame(kind, response=response)


def added(index, item):
    return frame("response.output_item.added", output_index=index, item=item)


def done(index, item):
    return frame("response.output_item.done", output_index=index, item=item)


def text_delta(delta, index=0, item_id="msg_1", content_index=0):
    kind = "response.output_text.delta"
    return frame(kind, item_id=item_id, output_index=index, content_index=content_index, delta=delta)


def arguments_delta(delta, index=0, item_id="fc_1"):
    kind = "response.function_call_arguments.delta"
    return frame(kind, item_id=item_id, output_index=index, delta=delta)


def message(text=None, item_id="msg_1", **fields):
    content = [] if text is None else [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": item_id, "role": "assistant", "content": content, **fields}


def call(arguments="", item_id="fc_1", call_id="call_1", name="look", **fields):
    base = {"type": "function_call", "id": item_id, "call_id": call_id, "name": name}
    return base | {"arguments": arguments, **fields}


def reasoning(*summary, item_id="rs_1", **fields):
    paragraphs = [{"type": "summary_text", "text": text} for text in summary]
    return {"type": "reasoning", "id": item_id, "summary": paragraphs, **fields}


def anonymous(parts):
    """The parts without the ids of their items; reasoning keeps its id, which is its own."""
    return tuple(part if isinstance(part, ReasoningPart) else replace(part, item_id="") for part in parts)


def said(decoder):
    """The parts of the answer so far, anonymous."""
    message = decoder.partial()
    return anonymous(message.parts) if message else None


def fed(decoder, *frames):
    """Decode the frames, each in a read of its own."""
    events: list[Any] = []
    for one in frames:
        decoder.feed([one], events)
    return events
