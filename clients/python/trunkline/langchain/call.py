"""Convert what LangChain gives a model to the request of a turn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from langchain_core.messages import BaseMessage

from trunkline.gen.trunkline.v1.completion_pb2 import (
    CompleteRequest,
    JsonSchemaFormat,
    StreamCompletionRequest,
    ToolChoice,
)
from trunkline.langchain.messages import continuation_of, read
from trunkline.options import choice_definition, force_tool, json_schema
from trunkline.requests import turn_request
from trunkline.tools import Tool, tool_definition

R = TypeVar("R", StreamCompletionRequest, CompleteRequest)

CHOICES: Mapping[Any, str | None] = {
    None: None,
    False: None,
    True: "required",
    "any": "required",
    "required": "required",
    "auto": "auto",
    "none": "none",
}


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """The request has no session where the caller names none. `custom` names the tools that take a text."""

    request: R
    timeout: float | None
    custom: frozenset[str]

    @property
    def resumes(self) -> bool:
        return bool(self.request.turn_key)


def call_from(kind: type[R], messages: Sequence[BaseMessage], given: dict[str, Any]) -> Call[R]:
    """`given` is what the model and its caller set, by LangChain's names or the client's."""
    if given.pop("stop", None):
        raise ValueError("stop: the Responses API has no stop sequences; cut the text yourself")
    given.pop("stream", None)
    timeout = given.pop("timeout", None)
    tools = [_tool(one) for one in given.pop("tools", None) or ()]
    named = {name: given.pop(name) for name in ("session_id", "model")}
    if (most := given.pop("max_tokens", None)) is not None:
        given["max_output_tokens"] = most
    if (form := given.pop("response_format", None)) is not None:
        given["text_format"] = _format(form)
    given["tool_choice"] = _choice(given.get("tool_choice"))
    instructions, said = read(messages)
    request = turn_request(
        kind,
        messages=said,
        instructions=instructions,
        tools=tools,
        request_id="",
        options=given,  # type: ignore[arg-type]  # checked where they are converted
        continuation=continuation_of(messages),
        **named,
    )
    return Call(request, timeout, frozenset(tool.name for tool in tools if tool.is_custom))


def _tool(bound: Mapping[str, Any]) -> Tool:
    function = bound.get("function")
    if function is None:
        return tool_definition(bound)
    description, parameters = function.get("description", ""), function.get("parameters", "")
    return Tool(function["name"], description, parameters, strict=function.get("strict"))


def _choice(bound: Any) -> str | ToolChoice | None:
    """`bound` is a word, a tool's name, or a definition."""
    match bound:
        case ToolChoice():
            return bound
        case {"type": "function", "function": {"name": str(name)}} | {"type": "function", "name": str(name)}:
            return force_tool(name)
        case Mapping():
            return choice_definition(bound)
    return CHOICES[bound] if bound in CHOICES else force_tool(bound)


def _format(asked: dict[str, Any]) -> str | JsonSchemaFormat:
    match asked:
        case {"type": "json_schema", "json_schema": {"name": str(name), "schema": schema}}:
            return json_schema(name, schema, strict=asked["json_schema"].get("strict"))
        case {"type": "json_object"}:
            return "json_object"
    raise ValueError(f"response_format: {asked!r} is neither a json_schema nor a json_object")
