"""Read the body of a request of the Responses API as what a turn takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from trunkline.gen.trunkline.v1.completion_pb2 import StreamCompletionRequest
from trunkline.options import Options, choice_definition, json_schema
from trunkline.requests import turn_request
from trunkline.response_items import messages_from_items
from trunkline.tools import tool_definition

OWN = "trunkline"
"""The key with what the API has no name for: `session_id`, and options of a turn."""

NOT_NEEDED = ("prompt_cache_options", "stream_options")
"""Hints about the cache that only a caller of the upstream itself can give, and how to stream."""
CHAINED = ("previous_response_id", "conversation")
SAME = (
    "temperature",
    "top_p",
    "max_output_tokens",
    "parallel_tool_calls",
    "store",
    "metadata",
    "prompt_cache_key",
    "service_tier",
    "truncation",
    "safety_identifier",
    "include",
)
"""The keys that are options of the same name. Those that are neither these nor read below go as they are."""


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """What a request asks for. `streamed`: it wants events. `tools`: the definitions of those it offers."""

    request: StreamCompletionRequest
    streamed: bool
    tools: Sequence[Mapping[str, Any]]


def read_body(given: Mapping[str, Any], defaults: Options) -> ResponseBody:
    """Read a body. Raises ValueError, TypeError or LookupError for what is none, or what no turn can have."""
    body = {name: value for name, value in given.items() if value is not None and name not in NOT_NEEDED}
    if chained := [name for name in CHAINED if name in body]:
        raise ValueError(f"{chained[0]}: send the whole history as input; only what is new goes to the model")
    own = dict(body.pop(OWN, {}))
    streamed, model, given_input = body.pop("stream", False), body.pop("model"), body.pop("input")
    items = [{"role": "user", "content": given_input}] if isinstance(given_input, str) else given_input
    session_id, instructions = own.pop("session_id", ""), body.pop("instructions", "")
    tools = body.pop("tools", ())
    options = {name: body.pop(name) for name in SAME if name in body}
    if choice := body.pop("tool_choice", None):
        options["tool_choice"] = choice if isinstance(choice, str) else choice_definition(choice)
    if reasoning := dict(body.pop("reasoning", {})):
        options["reasoning_effort"] = reasoning.pop("effort", None)
        options["reasoning_summary"] = reasoning.pop("summary", None)
    if text := dict(body.pop("text", {})):
        options["verbosity"] = text.pop("verbosity", None)
        options["text_format"] = _format(text)
    more = {"reasoning": reasoning, "text": text}
    options["extra_body"] = body | {name: value for name, value in more.items() if value} or None
    request = turn_request(
        StreamCompletionRequest,
        session_id=session_id,
        model=model,
        messages=messages_from_items(items),
        instructions=instructions,
        tools=[tool_definition(tool) for tool in tools],
        request_id="",
        options=defaults | cast("Options", options | own),
    )
    return ResponseBody(request, bool(streamed), tools)


def _format(text: dict[str, Any]) -> Any:
    """Take the format out of `text`, and leave what an option cannot say."""
    given: Any = text.pop("format", None)
    match given:
        case {"type": "json_schema", "name": name, "schema": schema, **more}:
            strict = given.get("strict")
            if left := {key: value for key, value in more.items() if key != "strict"}:
                text["format"] = left
            return json_schema(name, schema, strict=strict)
        case {"type": "json_object"}:
            return "json_object"
        case {"type": "text"}:
            return "plain"
        case None:
            return None
        case other:
            raise ValueError(f"text.format: {other!r} is not known")
