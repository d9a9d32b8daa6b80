"""Which keys of which items have a field in the contract."""

import pytest

from service.domain.item_keys import NAMED_KEYS, item_type
from service.domain.messages import (
    ImagePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
)

PARTS = {
    TextPart("a"): "message",
    RefusalPart("a"): "message",
    ImagePart(url="u"): "message",
    ReasoningPart("r"): "reasoning",
    ToolCallPart("c", "f", "{}"): "function_call",
    ToolCallPart("c", "f", "x", ToolKind.CUSTOM): "custom_tool_call",
    ToolResultPart("c", ()): "function_call_output",
    ToolResultPart("c", (), kind=ToolKind.CUSTOM): "custom_tool_call_output",
}


@pytest.mark.parametrize(("part", "kind"), PARTS.items(), ids=map(repr, PARTS))
def test_each_part_belongs_to_one_type_of_item(part, kind):
    assert item_type(part) == kind


def test_each_type_of_item_has_its_keys():
    assert set(NAMED_KEYS) == set(PARTS.values())
    assert all({"type", "id"} <= keys for keys in NAMED_KEYS.values())
