"""Tools that the model may call.

An error in a call is reported to the model (an `is_error` result) and not raised to the caller.
"""

import asyncio
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, overload

from trunkline.gen.trunkline.v1 import message_pb2 as pb
from trunkline.gen.trunkline.v1.message_pb2 import Message, ToolCallPart
from trunkline.items import fields_of
from trunkline.messages import tool_result
from trunkline.options import as_json
from trunkline.schema import parameters_of

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Tool:
    """What the model may call. `parameters` is a JSON Schema: an object, or its JSON.

    Without a function it is only declared: answer its calls yourself, or give `run` the functions.
    `definition` is that of a tool of another kind, for the upstream as it is written; description, parameters
    and strict are then not used. See `custom_tool` and `tool_definition`.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] | str = ""
    function: Function | None = None
    strict: bool | None = None
    definition: Mapping[str, Any] | str = ""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self.function is None:
            raise TypeError(f"tool {self.name!r} has no function")
        return self.function(*arguments, **named)

    @property
    def is_async(self) -> bool:
        return inspect.iscoroutinefunction(self.function)

    @property
    def is_custom(self) -> bool:
        """Its calls are free text."""
        return self._defined().get("type") == "custom"

    @property
    def key(self) -> str:
        """Tells tools apart: the name, or the definition of a tool that has none."""
        return self.name or as_json(self.definition)

    def _defined(self) -> Mapping[str, Any]:
        return fields_of(self.definition) if isinstance(self.definition, str) else self.definition

    def to_proto(self) -> pb.Tool:
        if self.definition:
            return pb.Tool(definition_json=as_json(self.definition))
        parameters = as_json(self.parameters)
        declared = pb.Tool(name=self.name, description=self.description, parameters=parameters)
        if self.strict is not None:
            declared.strict = self.strict
        return declared


@overload
def tool(function: Function, /) -> Tool: ...
@overload
def tool(
    *, name: str = "", description: str = "", strict: bool | None = None
) -> Callable[[Function], Tool]: ...
def tool(
    function: Function | None = None,
    /,
    *,
    name: str = "",
    description: str = "",
    strict: bool | None = None,
) -> Tool | Callable[[Function], Tool]:
    """Makes a tool of a function: the model sees its name, its docstring and its parameters' types."""

    def make(function: Function) -> Tool:
        text = description or inspect.getdoc(function) or ""
        return Tool(name or function.__name__, text, parameters_of(function), function, strict)

    return make if function is None else make(function)


@overload
def custom_tool(function: Function, /) -> Tool: ...
@overload
def custom_tool(
    *, name: str = "", description: str = "", format: Mapping[str, Any] | None = None
) -> Callable[[Function], Tool]: ...
def custom_tool(
    function: Function | None = None,
    /,
    *,
    name: str = "",
    description: str = "",
    format: Mapping[str, Any] | None = None,  # noqa: A002 - the upstream's name
) -> Tool | Callable[[Function], Tool]:
    """Makes a custom tool of a function: it takes one text, which the model writes freely or by a grammar.

    `format` is the upstream's, for example `{"type": "grammar", "syntax": "regex", "definition": "[0-9]+"}`.
    """

    def make(function: Function) -> Tool:
        named, text = name or function.__name__, description or inspect.getdoc(function) or ""
        definition = {"type": "custom", "name": named, "description": text, "format": format}
        return tool_definition({key: value for key, value in definition.items() if value}, function)

    return make if function is None else make(function)


def tool_definition(definition: Mapping[str, Any] | str, function: Function | None = None) -> Tool:
    """A tool of any kind by its definition: an object or its JSON, for the upstream as it is written.

    A function is for what the model calls by the definition's name: a custom tool, or a function.
    """
    fields = fields_of(definition) if isinstance(definition, str) else definition
    name = str(fields.get("name", "")) if fields.get("type") in CALLED_BY_NAME else ""
    return Tool(name, function=function, definition=definition)


CALLED_BY_NAME = ("function", "custom")

AnyTool = Tool | Function
Tools = Iterable[AnyTool] | Mapping[str, AnyTool]
"""Tools, functions to make tools of, or both by name."""


def as_tools(given: Tools) -> list[Tool]:
    return [_named(name, one) for name, one in _by_name(given)]


def merged(declared: Iterable[AnyTool], given: Tools) -> list[Tool]:
    """What is declared, in its order, with the functions of what is given; what is new comes after it.

    A bare function gives a declared tool its body and leaves its description: other words would cost the
    chain.
    """
    tools = {one.key: one for one in as_tools(declared)}
    for name, one in _by_name(given):
        if name in tools and not isinstance(one, Tool):
            tools[name] = replace(tools[name], function=one)
        else:
            tools[name] = _named(name, one)
    return list(tools.values())


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that is ready to be made, or whose result is known already: it could not be made."""

    call_id: str
    call: Callable[[], Any] | None
    is_async: bool = False
    problem: str = ""

    def result(self, output: object) -> Message:
        try:
            return tool_result(self.call_id, output)
        except (TypeError, ValueError, RecursionError) as error:
            return self.failed(error)

    def failed(self, error: BaseException) -> Message:
        return tool_result(self.call_id, f"{type(error).__name__}: {error}", is_error=True)

    def run(self) -> Message:
        if self.call is None:
            return tool_result(self.call_id, self.problem, is_error=True)
        try:
            return self.result(self.call())
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is news for the model
            return self.failed(error)

    async def run_async(self) -> Message:
        """A coroutine function runs in the loop, any other in a thread: it may block."""
        if self.call is None or not self.is_async:
            return await asyncio.to_thread(self.run)
        try:
            return self.result(await self.call())
        except Exception as error:  # noqa: BLE001 - as above
            return self.failed(error)


def prepare(call: ToolCallPart, tools: Mapping[str, Tool]) -> Prepared:
    one = tools.get(call.name)
    if one is None or one.function is None:
        return Prepared(call.call_id, None, problem=f"there is no tool named {call.name!r}")
    function, is_async, text = one.function, one.is_async, call.arguments
    if (call.kind == pb.TOOL_CALL_KIND_CUSTOM) != one.is_custom:
        kind = "not a custom one" if not one.is_custom else "a custom one"
        return Prepared(call.call_id, None, problem=f"the tool {call.name!r} is {kind}")
    if one.is_custom:
        return Prepared(call.call_id, lambda: function(text), is_async)
    try:
        arguments = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        return Prepared(call.call_id, None, problem=f"the arguments are not valid JSON: {error}")
    if not isinstance(arguments, dict):
        return Prepared(call.call_id, None, problem="the arguments are not a JSON object")
    return Prepared(call.call_id, lambda: function(**arguments), is_async)


def _by_name(given: Tools) -> list[tuple[str, AnyTool]]:
    if isinstance(given, Mapping):
        return list(given.items())
    return [(one.key if isinstance(one, Tool) else one.__name__, one) for one in given]


def _named(name: str, one: AnyTool) -> Tool:
    if not isinstance(one, Tool):
        return tool(name=name)(one)
    return one if one.definition else replace(one, name=name)  # a definition names itself


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
