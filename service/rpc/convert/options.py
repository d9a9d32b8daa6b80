"""Convert the tools and options of a turn to the domain, and check their bounds.

Schemas are not parsed, and of a definition only its type and name are read. Values that only the upstream
defines (an effort, a tier) are passed through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service.domain.limits import (
    MAX_CACHE_KEY,
    MAX_DESCRIPTION,
    MAX_INCLUDE,
    MAX_JSON_BYTES,
    MAX_JSON_BYTES_IN_ALL,
    MAX_JSON_NODES,
    MAX_JSON_NODES_IN_ALL,
    MAX_METADATA_KEY,
    MAX_METADATA_PAIRS,
    MAX_METADATA_VALUE,
    MAX_NAME,
    MAX_OPTION,
    MAX_SAFETY_IDENTIFIER,
    MAX_TOOLS,
    MIN_HEARTBEAT_S,
    json_nodes,
)
from service.domain.messages import Options, TextFormat, Tool, ToolChoice
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1.message_pb2 import Tool as ToolMessage
from service.rpc.convert.enums import TOOL_CHOICE_MODES, TRANSPORTS
from service.rpc.convert.json_fields import Named, named
from service.rpc.convert.validate import TOOL_NAME, Violations, shown


def read_tools(found: Violations, tools: Sequence[ToolMessage]) -> tuple[Tool, ...]:
    """Read the tools of a request. If a violation was found, the result is incomplete.

    A tool by definition has its name only inside of the definition, and this is the name that it gets here.
    """
    if len(tools) > MAX_TOOLS:
        found.add("tools", f"has {len(tools)} tools; at most {MAX_TOOLS} are allowed")
        return ()
    names: set[str] = set()
    read = []
    for index, tool in enumerate(tools):
        if tool.definition_json:
            read.append(_defined(found, f"tools[{index}].definition_json", tool))
            continue
        if not TOOL_NAME.fullmatch(tool.name):
            found.add(f"tools[{index}].name", "must be 1 to 64 characters of A-Z a-z 0-9 _ . -")
        elif tool.name in names:
            found.add(f"tools[{index}].name", f"{shown(tool.name)} is the name of an earlier tool")
        names.add(tool.name)
        if len(tool.description) > MAX_DESCRIPTION:
            found.at_most(f"tools[{index}].description", tool.description, MAX_DESCRIPTION)
        read.append(Tool(tool.name, tool.description, tool.parameters, tool.strict))
    return tuple(read)


def _defined(found: Violations, path: str, tool: ToolMessage) -> Tool:
    if tool.name or tool.description or tool.parameters or tool.HasField("strict"):
        found.add(path, "stands alone: name, description, parameters and strict belong to a function")
    what = _definition(found, path, tool.definition_json)
    return Tool(name=what.name or "", definition_json=tool.definition_json, type=what.type or "")


def _definition(found: Violations, path: str, text: str) -> Named:
    """Check the definition of a tool or of a choice. Returns the type and the name in it."""
    try:
        what = named(text)
    except ValueError as error:
        found.add(path, str(error))
        return Named()
    if not what.type:
        found.add(path, 'has no "type"')
    return what


DEFAULT = Options()


def read_options(found: Violations, options: pb.CompletionOptions, tools: Sequence[Tool]) -> Options:
    """Read the options of a turn. `tools` are those that a tool choice may name."""
    if not options.ByteSize():
        return DEFAULT
    transport = TRANSPORTS.get(options.transport)
    if transport is None:
        found.add("options.transport", f"{options.transport} is not a transport")
    temperature, top_p = _given(options, "temperature"), _given(options, "top_p")
    max_output_tokens = _given(options, "max_output_tokens")
    found.within("options.temperature", temperature, 0, 2)
    found.within("options.top_p", top_p, 0, 1)
    if max_output_tokens is not None and max_output_tokens < 0:
        found.add("options.max_output_tokens", "must not be negative")
    found.at_most("options.prompt_cache_key", options.prompt_cache_key, MAX_CACHE_KEY)
    found.at_most("options.safety_identifier", options.safety_identifier, MAX_SAFETY_IDENTIFIER)
    found.at_most("options.service_tier", options.service_tier, MAX_OPTION)
    found.at_most("options.truncation", options.truncation, MAX_OPTION)
    found.at_most("options.reasoning.effort", options.reasoning.effort, MAX_OPTION)
    found.at_most("options.reasoning.summary", options.reasoning.summary, MAX_OPTION)
    found.at_most("options.text.verbosity", options.text.verbosity, MAX_OPTION)
    return Options(
        transport=transport or TRANSPORTS[pb.TRANSPORT_AUTO],
        temperature=temperature,
        top_p=top_p,
        max_output_tokens=max_output_tokens,
        parallel_tool_calls=_given(options, "parallel_tool_calls"),
        store=_given(options, "store"),
        tool_choice=_tool_choice(found, options, {tool.name for tool in tools}),
        reasoning_effort=options.reasoning.effort,
        reasoning_summary=options.reasoning.summary,
        text_format=_text_format(found, options.text),
        verbosity=options.text.verbosity,
        metadata=_metadata(found, options),
        prompt_cache_key=options.prompt_cache_key,
        service_tier=options.service_tier,
        truncation=options.truncation,
        safety_identifier=options.safety_identifier,
        warm_up=options.warm_up,
        extra_body_json=options.extra_body_json,
        include=_include(found, options.include),
        linger_s=_duration(found, options, "linger", 0.0) or 0.0,
        heartbeat_s=_duration(found, options, "heartbeat", MIN_HEARTBEAT_S),
    )


def _given(options: pb.CompletionOptions, name: str) -> Any:
    return getattr(options, name) if options.HasField(name) else None


def _duration(found: Violations, options: pb.CompletionOptions, name: str, least: float) -> float | None:
    """Return the seconds of a duration. None: it is not given."""
    if not options.HasField(name):
        return None
    given = getattr(options, name)
    seconds: float = given.seconds + given.nanos / 1e9
    if seconds < least:
        found.add(f"options.{name}", f"must be at least {least:g} s")
    return seconds


def _metadata(found: Violations, options: pb.CompletionOptions) -> tuple[tuple[str, str], ...]:
    """Return the pairs sorted: a map has no order, and equal requests must be written equally."""
    if (count := len(options.metadata)) > MAX_METADATA_PAIRS:
        found.add("options.metadata", f"has {count} pairs; at most {MAX_METADATA_PAIRS} are allowed")
        return ()
    pairs = tuple(sorted(options.metadata.items()))
    for key, value in pairs:
        path = f"options.metadata[{shown(key)}]"
        found.at_most(path, key, MAX_METADATA_KEY)
        found.at_most(path, value, MAX_METADATA_VALUE)
    return pairs


def _include(found: Violations, include: Sequence[str]) -> tuple[str, ...]:
    if (count := len(include)) > MAX_INCLUDE:
        found.add("options.include", f"has {count} entries; at most {MAX_INCLUDE} are allowed")
        return ()
    for index, entry in enumerate(include):
        found.required(f"options.include[{index}]", entry)
        found.at_most(f"options.include[{index}]", entry, MAX_OPTION)
    return tuple(include)


def _tool_choice(found: Violations, options: pb.CompletionOptions, offered: set[str]) -> ToolChoice | None:
    if not options.HasField("tool_choice"):
        return None
    path, choice = "options.tool_choice", options.tool_choice
    match choice.WhichOneof("choice"):
        case "mode":
            return ToolChoice(mode=_mode(found, f"{path}.mode", choice.mode))
        case "function":
            _offered(found, f"{path}.function", choice.function, offered)
            return ToolChoice(functions=(choice.function,))
        case "allowed":
            return _allowed(found, f"{path}.allowed", choice.allowed, offered)
        case "definition_json":
            _definition(found, f"{path}.definition_json", choice.definition_json)
            return ToolChoice(definition_json=choice.definition_json)
        case _:
            found.add(path, "is empty; set one of mode, function, allowed and definition_json")
            return None


def _allowed(found: Violations, path: str, allowed: pb.AllowedTools, offered: set[str]) -> ToolChoice:
    mode = _mode(found, f"{path}.mode", allowed.mode)
    if mode == "none":
        found.add(f"{path}.mode", "must be TOOL_CHOICE_MODE_AUTO or TOOL_CHOICE_MODE_REQUIRED")
    if not allowed.functions:
        found.add(f"{path}.functions", "is empty; name at least one function")
    if (count := len(allowed.functions)) > MAX_TOOLS:
        found.add(f"{path}.functions", f"has {count} names; at most {MAX_TOOLS} are allowed")
        return ToolChoice(mode)
    named: set[str] = set()
    for index, name in enumerate(allowed.functions):
        _offered(found, f"{path}.functions[{index}]", name, offered)
        if name in named:
            found.add(f"{path}.functions[{index}]", f"{shown(name)} is named twice")
        named.add(name)
    return ToolChoice(mode, tuple(allowed.functions))


def _mode(found: Violations, path: str, number: pb.ToolChoiceMode) -> str:
    mode = TOOL_CHOICE_MODES.get(number)
    if mode is None:
        found.add(path, "is not set" if number == 0 else f"{number} is not a mode")
    return mode or ""


def _offered(found: Violations, path: str, name: str, offered: set[str]) -> None:
    if name not in offered:
        found.add(path, f"{shown(name)} is not the name of a tool of this request")


def _text_format(found: Violations, text: pb.TextOptions) -> TextFormat | None:
    match text.WhichOneof("format"):
        case "plain":
            return TextFormat("text")
        case "json_object":
            return TextFormat("json_object")
        case "json_schema":
            schema = text.json_schema
            found.required("options.text.json_schema.name", schema.name)
            found.at_most("options.text.json_schema.name", schema.name, MAX_NAME)
            found.required("options.text.json_schema.schema", schema.schema)
            return TextFormat("json_schema", schema.name, schema.schema, schema.strict)
        case _:
            return None


def check_json(found: Violations, tools: Sequence[Tool], options: Options) -> None:
    """Check the size of each JSON string, and the size and nodes of all together."""
    texts = [
        (f"tools[{index}].definition_json", tool.definition_json)
        if tool.definition_json
        else (f"tools[{index}].parameters", tool.parameters)
        for index, tool in enumerate(tools)
    ]
    if options.tool_choice is not None:
        texts.append(("options.tool_choice.definition_json", options.tool_choice.definition_json))
    if options.text_format is not None:
        texts.append(("options.text.json_schema.schema", options.text_format.schema))
    texts.append(("options.extra_body_json", options.extra_body_json))
    if (size := sum(len(text) for _, text in texts)) <= MAX_JSON_NODES:
        return  # the usual case: fewer bytes than the limit of nodes
    for field, text in texts:
        if len(text) > MAX_JSON_BYTES:
            found.add(field, f"has {len(text)} characters; at most {MAX_JSON_BYTES} bytes are allowed")
    if size > MAX_JSON_BYTES_IN_ALL:
        found.add("request", f"has JSON strings of more than {MAX_JSON_BYTES_IN_ALL} bytes in all")
    elif sum(json_nodes(text) for _, text in texts) > MAX_JSON_NODES_IN_ALL:
        what = f"more than {MAX_JSON_NODES_IN_ALL} brackets, commas and colons in all"
        found.add("request", f"has JSON strings of {what}")
