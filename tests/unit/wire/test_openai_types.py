"""What the API can say, by the types of the `openai` package: nothing vanishes without a word."""

import json
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from openai.types.responses import ResponseOutputItem, ResponseStreamEvent
from pydantic import BaseModel

from service.domain.events import ItemProgress
from service.domain.messages import UpstreamItemPart
from service.wire.item_json import KNOWN_KINDS
from service.wire.response_assembler import REDUNDANT, ResponseAssembler
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import created, ended, fed, frame


def members(union):
    """The models of a discriminated union, by their type."""
    models = get_args(get_args(union)[0])
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


ITEMS = members(ResponseOutputItem)
EVENTS = members(ResponseStreamEvent)
LONE = {"response.audio.delta", "response.audio.done"} | {
    "response.audio.transcript.delta",
    "response.audio.transcript.done",
}
"""Events that belong to no item."""


def sample(kind: Any) -> Any:
    """Make the smallest JSON value of a type, with each field of an object that is not optional."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return sample(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin in (Union, UnionType):
        return sample(arguments[0])
    if origin is list:
        return [sample(arguments[0])]
    if origin is dict or kind in (object, Any):
        return {"key": "value"}
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: sample(field.annotation) for name, field in kind.model_fields.items()}
    return {str: "text", int: 1, float: 0.5, bool: True, type(None): None}[kind]


def item_of(kind):
    item = sample(ITEMS[kind]) | {"id": "item_1"}
    ITEMS[kind].model_validate(item)
    return item


def test_the_package_has_all_types():
    assert len(ITEMS) >= 28
    assert len(EVENTS) >= 59


@pytest.mark.parametrize("how", ["done", "end"])
@pytest.mark.parametrize("kind", ITEMS)
def test_an_item(kind, how):
    item = item_of(kind)
    decoder = ResponseDecoder(continuing=False)
    done = [frame("response.output_item.done", output_index=0, item=item)] if how == "done" else []
    (part,) = fed(decoder, created(), *done, ended(output=[item]))[-1].message.parts
    assert part.item_id == "item_1"
    assert not decoder.ignored
    if kind in KNOWN_KINDS:
        assert not isinstance(part, UpstreamItemPart)
        assert json.loads(part.extra_json or "{}").keys() == item.keys() & {"namespace", "caller", "async"}
    else:
        assert (part.type, json.loads(part.json)) == (kind, item)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_is_understood_passed_on_or_counted(kind):
    event = sample(EVENTS[kind])
    named = {"item_id": "item_1", "output_index": 0} if "output_index" in event else {}
    text = json.dumps(event | named)
    decoder = ResponseDecoder(continuing=False)
    search = {"type": "web_search_call", "id": "item_1"}
    fed(decoder, created(), frame("response.output_item.added", output_index=0, item=search))
    if kind in ResponseAssembler.HANDLERS:
        return
    events = fed(decoder, text)
    if kind in REDUNDANT | LONE:
        assert (events, decoder.ignored) == ([], {kind: 1})
    else:
        assert events == [ItemProgress(0, "web_search_call", kind, text)]
        assert not decoder.ignored
