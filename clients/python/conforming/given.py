"""Make of a scenario's JSON what the client is given: tools, inputs, options and answers."""

import json
from collections.abc import Iterable
from typing import Any

from trunkline import (
    Part,
    Tool,
    UpstreamItemPart,
    approval,
    choice_definition,
    custom_tool,
    tool_definition,
    upstream_item,
    user,
)

Json = dict[str, Any]

APPROVALS = {"approve": True, "deny": False}


def tool_of(
    name: str,
    *,
    description: str = "",
    parameters: str = "",
    definition: str = "",
    custom: bool = False,
    fails: bool = False,
) -> Tool:
    def lookup(query: str) -> str:
        if fails:
            raise RuntimeError("it is broken")
        return f"found {query}"

    if definition:
        return tool_definition(definition, lookup)
    if custom:
        return custom_tool(name=name, description=description)(lookup)
    return Tool(name, description, parameters, lookup)


def text_of(turn: Json) -> str | None:
    repeat = turn.get("repeat")
    more = repeat["of"] * repeat["count"] if repeat else ""
    return turn["text"] + more if "text" in turn else None


def input_of(turn: Json) -> Any:
    """The text; with items of the upstream, one message of both."""
    if "items" not in turn:
        return text_of(turn)
    return user(text_of(turn) or "", *map(upstream_item, turn["items"]))


def options_of(turn: Json) -> Json:
    timeout = {"timeout": turn["timeout_ms"] / 1000} if "timeout_ms" in turn else {}
    options = dict(turn.get("options", {}))
    if "tool_choice" in options:
        options["tool_choice"] = choice_definition(options["tool_choice"])
    return {**timeout, **options}


def answers_of(step: Json, actions: Iterable[UpstreamItemPart]) -> list[Part]:
    return [_answer(one, action) for one, action in zip(step["answers"], actions, strict=True)]


def _answer(given: str, action: UpstreamItemPart) -> Part:
    if given in APPROVALS:
        return approval(action, APPROVALS[given])
    return upstream_item(given.replace("CALL", json.loads(action.json)["call_id"]))
