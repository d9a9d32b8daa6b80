"""Items of the upstream that have no part of their own, and what the upstream adds to texts.

An item is passed on as it is written: it is parsed to find out what it is, and never changed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from trunkline.gen.trunkline.v1.message_pb2 import ROLE_TOOL, Message, Part, UpstreamItemPart
from trunkline.options import as_json

Item = Part | Mapping[str, Any] | str
"""An item of the upstream: a part made by `upstream_item`, an object, or its JSON."""

Items = Item | Sequence[Item]

APPROVAL_REQUEST = "mcp_approval_request"


def upstream_item(item: Mapping[str, Any] | str) -> Part:
    """An item with its `type`, an object or its JSON, for the upstream as it is written.

    For example what answers a call of the model (`shell_call_output`), or an `item_reference`.
    """
    written = as_json(item)
    return Part(upstream_item=UpstreamItemPart(type=_word(fields_of(written), "type"), json=written))


def action_result(*items: Item) -> Message:
    """What answers the actions of an answer. `conversation.answer` also sends it."""
    return Message(role=ROLE_TOOL, parts=[_as_part(item) for item in items])


def approval(request: UpstreamItemPart, approve: bool, *, reason: str = "") -> Part:
    """The answer to an `mcp_approval_request`. Raises ValueError where the item is none."""
    identifier = _word(fields_of(request.json), "id")
    if request.type != APPROVAL_REQUEST or not identifier:
        raise ValueError(
            f"{request.type or 'an item without a type'} is not an {APPROVAL_REQUEST} with an id"
        )
    answer = {"type": "mcp_approval_response", "approval_request_id": identifier, "approve": approve}
    return upstream_item(answer | ({"reason": reason} if reason else {}))


def upstream_items_of(message: Message) -> tuple[UpstreamItemPart, ...]:
    return tuple(part.upstream_item for part in message.parts if part.HasField("upstream_item"))


def annotations_of(message: Message) -> tuple[dict[str, Any], ...]:
    """The citations of all texts, in order, as the upstream wrote them."""
    return tuple(_objects(part.text.annotations_json for part in message.parts))


def logprobs_of(message: Message) -> tuple[dict[str, Any], ...]:
    """The log probabilities of all texts, token by token, as the upstream wrote them."""
    return tuple(_objects(part.text.logprobs_json for part in message.parts))


def answered_in(message: Message) -> set[str]:
    """The ids of the calls that the message answers: results of tools, and output items of any kind."""
    answered = {part.tool_result.call_id for part in message.parts if part.HasField("tool_result")}
    for item in upstream_items_of(message):
        if item.type.endswith("_output"):
            answered.add(_word(fields_of(item.json), "call_id"))
    return answered


def actions_of(message: Message) -> tuple[UpstreamItemPart, ...]:
    """The items that ask for an answer which no other item of the message gives.

    A call asks by its `call_id` and a request for approval by its id. A hosted tool's call has no `call_id`,
    or its output stands in the same message.
    """
    answered = answered_in(message)
    asked: list[tuple[str, UpstreamItemPart]] = []
    for item in upstream_items_of(message):
        fields = fields_of(item.json)
        call_id = _word(fields, "call_id")
        answered.add(_word(fields, "approval_request_id"))
        if item.type == APPROVAL_REQUEST:
            asked.append((_word(fields, "id"), item))
        elif call_id and item.type.endswith("_call"):
            asked.append((call_id, item))
    return tuple(item for name, item in asked if name and name not in answered)


def as_items(given: Items) -> tuple[Item, ...]:
    return (given,) if isinstance(given, Part | Mapping | str) else tuple(given)


def fields_of(written: str) -> dict[str, Any]:
    """The object of a JSON text. Empty where the text is no object."""
    value = _parsed(written)
    return value if isinstance(value, dict) else {}


def _as_part(item: Item) -> Part:
    return item if isinstance(item, Part) else upstream_item(item)


def _word(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _objects(lists: Iterable[str]) -> Iterator[dict[str, Any]]:
    for written in lists:
        values = _parsed(written)
        yield from (value for value in values if isinstance(value, dict)) if isinstance(values, list) else ()


def _parsed(written: str) -> object:
    """The value of a JSON text; None where the text is none."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return None
