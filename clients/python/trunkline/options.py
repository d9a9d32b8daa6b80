"""Convert the keywords of a turn to `CompletionOptions`.

What is not given, or None, is not sent; zero, False and "" are values. The service validates, and names the
field.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, TypedDict, TypeVar

from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1.completion_pb2 import JsonSchemaFormat, ToolChoice

E = TypeVar("E")

Transport = Literal["auto", "websocket", "sse"]
"""The contract's own set, so it is closed. Those below are the upstream's: an editor offers the names known
today, and any other is sent as it is."""
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | str
Summary = Literal["auto", "concise", "detailed"] | str
Verbosity = Literal["low", "medium", "high"] | str
ServiceTier = Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | str
Truncation = Literal["auto", "disabled"] | str
Include = (
    Literal[
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
        "web_search_call.results",
    ]
    | str
)


class Options(TypedDict, total=False):
    """How to run a turn. A conversation has defaults; each turn may have its own on top."""

    transport: Transport | None
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    parallel_tool_calls: bool | None
    store: bool | None
    tool_choice: Literal["auto", "none", "required"] | ToolChoice | None
    """See also `force_tool`, `allow_tools` and `choice_definition`."""
    reasoning_effort: Effort | None
    reasoning_summary: Summary | None
    text_format: Literal["plain", "json_object"] | JsonSchemaFormat | None
    """See also `json_schema`."""
    verbosity: Verbosity | None
    metadata: Mapping[str, str] | None
    prompt_cache_key: str | None
    service_tier: ServiceTier | None
    truncation: Truncation | None
    safety_identifier: str | None
    warm_up: bool | None
    include: Sequence[Include] | None
    """More of what the upstream can include in its answer, for example "file_search_call.results"."""
    extra_body: Mapping[str, Any] | str | None
    """Upstream keys that have no name here: an object, or its JSON."""
    linger: float | None
    """With a turn key: for how many seconds a turn goes on, or is kept, once nobody reads it."""
    resume: bool | None
    """The client makes the call again where its connection breaks, and the turn goes on."""
    heartbeat: float | None
    """After how many seconds of silence the service shows that the turn runs. Not an event for the caller."""


TRANSPORTS = {
    "auto": pb.TRANSPORT_AUTO,
    "websocket": pb.TRANSPORT_WEBSOCKET,
    "sse": pb.TRANSPORT_SSE,
}
TOOL_CHOICES = {
    "auto": pb.TOOL_CHOICE_MODE_AUTO,
    "none": pb.TOOL_CHOICE_MODE_NONE,
    "required": pb.TOOL_CHOICE_MODE_REQUIRED,
}
AS_THEY_ARE = (
    "temperature",
    "top_p",
    "max_output_tokens",
    "parallel_tool_calls",
    "store",
    "prompt_cache_key",
    "service_tier",
    "truncation",
    "safety_identifier",
    "warm_up",
    "include",
)
DURATIONS = {"linger", "heartbeat"}
RESUME_LINGER_S = 60.0


def force_tool(name: str) -> ToolChoice:
    """The model calls this tool."""
    return ToolChoice(function=name)


def allow_tools(*names: str, required: bool = False) -> ToolChoice:
    """The model may call (`required`: calls) one of these. What is declared, so the chain, stays the same."""
    mode = TOOL_CHOICES["required" if required else "auto"]
    return ToolChoice(allowed=pb.AllowedTools(mode=mode, functions=names))


def choice_definition(definition: Mapping[str, Any] | str) -> ToolChoice:
    """Any other choice, for the upstream as it is written: a hosted tool, a custom one, a set."""
    return ToolChoice(definition_json=as_json(definition))


def json_schema(
    name: str, schema: Mapping[str, Any] | str, *, strict: bool | None = None
) -> JsonSchemaFormat:
    """The text is JSON that fits a schema."""
    form = JsonSchemaFormat(name=name, schema=as_json(schema))
    if strict is not None:
        form.strict = strict
    return form


def as_json(value: Mapping[str, Any] | str) -> str:
    """JSON stays as it was written: key order and integers belong to the caller."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)


def completion_options(options: Options) -> pb.CompletionOptions:
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if unknown := given.keys() - Options.__annotations__.keys():
        # A misspelt option would otherwise be a turn that silently runs without it.
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
    if given.get("resume"):
        given.setdefault("linger", RESUME_LINGER_S)
    message = pb.CompletionOptions(**{name: given[name] for name in AS_THEY_ARE if name in given})
    if "transport" in given:
        message.transport = _choice("transport", TRANSPORTS, given["transport"])
    if "tool_choice" in given:
        message.tool_choice.CopyFrom(_tool_choice(given["tool_choice"]))
    if "extra_body" in given:
        message.extra_body_json = as_json(given["extra_body"])
    for name in DURATIONS & given.keys():
        getattr(message, name).FromTimedelta(timedelta(seconds=given[name]))
    message.metadata.update(given.get("metadata", {}))
    _reasoning(message, given)
    _text(message, given)
    return message


def _reasoning(message: pb.CompletionOptions, given: Mapping[str, Any]) -> None:
    if "reasoning_effort" in given:
        message.reasoning.effort = given["reasoning_effort"]
    if "reasoning_summary" in given:
        message.reasoning.summary = given["reasoning_summary"]


def _text(message: pb.CompletionOptions, given: Mapping[str, Any]) -> None:
    match given.get("text_format"):
        case None:
            pass
        case JsonSchemaFormat() as schema:
            message.text.json_schema.CopyFrom(schema)
        case "plain":
            message.text.plain.SetInParent()
        case "json_object":
            message.text.json_object.SetInParent()
        case other:
            raise ValueError(
                f"text_format: {other!r} is neither 'plain', 'json_object' nor a json_schema(...)"
            )
    if "verbosity" in given:
        message.text.verbosity = given["verbosity"]


def _tool_choice(choice: str | ToolChoice) -> ToolChoice:
    if isinstance(choice, ToolChoice):
        return choice
    return ToolChoice(mode=_choice("tool_choice", TOOL_CHOICES, choice))


def _choice(name: str, table: Mapping[str, E], value: str) -> E:
    if value not in table:
        raise ValueError(f"{name}: {value!r} is none of {', '.join(table)}")
    return table[value]
