"""The canonical comparison of items: what is the same, and what is not."""

import pytest

from service.domain.digests import digest_of, extras_of
from service.domain.messages import (
    FilePart,
    ImagePart,
    Item,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    UpstreamItemPart,
)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": [2, 3]}', '{"b":[2,3],"a":1}', True),
        ('{"a": 1, "b": [2, 3]}', '{"a": 1, "b": [3, 2]}', False),
        ("{broken", "{broken", True),
        ("{broken", "{ broken", False),
        ("[" * 5000, "[" * 5000, True),
        ('{"a": 1}', '{"a": 1.5}', False),
        ("[" + "1," * 2**17 + "1]", "[ " + "1," * 2**17 + "1]", False),
    ],
    ids=["key order", "element order", "no JSON", "no JSON, spaced", "too deep", "number", "too long"],
)
def test_tool_arguments_are_compared_as_json(one, other, same):
    digests = {digest_of(Item(Role.ASSISTANT, (ToolCallPart("c", "f", text),))) for text in (one, other)}
    assert (len(digests) == 1) is same


def test_digests_tell_apart_what_is_not_the_same():
    different = [
        Item(Role.ASSISTANT, (TextPart("x"),)),
        Item(Role.USER, (TextPart("x"),)),
        Item(Role.ASSISTANT, (RefusalPart("x"),)),
        Item(Role.ASSISTANT, (TextPart("x", "commentary"),)),
        Item(Role.ASSISTANT, (TextPart("x"), TextPart(""))),
        Item(Role.ASSISTANT, (ToolCallPart("c", "f", "x"),)),
        Item(Role.ASSISTANT, (ToolCallPart("c", "f", "x", ToolKind.CUSTOM),)),
        Item(Role.ASSISTANT, (UpstreamItemPart("t", '{"type":"t"}'),)),
        Item(Role.ASSISTANT, (UpstreamItemPart("t", '{"type":"t","a":1}'),)),
        Item(Role.USER, (ImagePart(url="x"),)),
        Item(Role.USER, (ImagePart(file_id="x"),)),
        Item(Role.USER, (ImagePart(data=b"x", mime_type="image/png"),)),
        Item(Role.USER, (FilePart(file_id="x"),)),
        Item(Role.TOOL, (ToolResultPart("x", ()),)),
        Item(Role.TOOL, (ToolResultPart("x", (), is_error=True),)),
        Item(Role.TOOL, (ToolResultPart("x", (ImagePart(url="x"),)),)),
        Item(Role.TOOL, (ToolResultPart("x", (TextPart("x"),)),)),
    ]
    assert len({digest_of(item) for item in different}) == len(different)


LONG = "x" * 300_000


@pytest.mark.parametrize(
    "part",
    [
        TextPart(LONG),
        RefusalPart(LONG),
        ToolCallPart("c", "f", LONG),
        ImagePart(data=LONG.encode(), mime_type="image/png"),
        ReasoningPart("r", (LONG, "b")),
        ReasoningPart("r", encrypted_content=LONG),
        UpstreamItemPart("t", LONG),
        ToolResultPart("c", (TextPart(LONG), ImagePart(data=LONG.encode(), mime_type="image/png"))),
    ],
    ids=["text", "refusal", "call", "image", "summary", "sealed", "item", "result"],
)
def test_long_parts_are_compared_to_the_last_character(part):
    written = repr(part).replace(repr(ToolKind.FUNCTION), str(ToolKind.FUNCTION))
    item, again = (Item(Role.USER, (one,)) for one in (part, eval(written)))
    changed = Item(Role.USER, (eval(written.replace("x'", "y'", 1)),))
    assert digest_of(item) == digest_of(again)
    assert digest_of(item) != digest_of(changed)


def test_where_one_long_paragraph_ends_counts():
    one, other = (ReasoningPart("r", split) for split in ((LONG, "xy"), (LONG + "x", "y")))
    assert digest_of(Item(Role.ASSISTANT, (one,))) != digest_of(Item(Role.ASSISTANT, (other,)))


@pytest.mark.parametrize("padding", ["[]," * 60_000 + "[]", '"' + "x" * 300_000 + '"'])
def test_arguments_too_large_to_parse_count_as_they_stand(padding):
    one, other = (
        Item(Role.ASSISTANT, (ToolCallPart("c", "f", arguments),))
        for arguments in (f'{{"a":1,"b":[{padding}]}}', f'{{"a": 1,"b":[{padding}]}}')
    )
    assert digest_of(one) != digest_of(other)


def test_long_arguments_of_few_nodes_are_still_compared_as_json():
    text = "x" * 60_000
    one, other = (
        Item(Role.ASSISTANT, (ToolCallPart("c", "f", arguments),))
        for arguments in (f'{{"a":1,"b":"{text}"}}', f'{{"b":"{text}","a":1}}')
    )
    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize(
    ("part", "echoed"),
    [
        (TextPart("a", "", "[1]", "[2]", "msg_1", '{"new":1}'), TextPart("a")),
        (RefusalPart("a", "msg_1", '{"new":1}'), RefusalPart("a")),
        (ToolCallPart("c", "f", "{}", item_id="fc_1", extra_json='{"new":1}'), ToolCallPart("c", "f", "{}")),
        (ReasoningPart("rs_1", extra_json='{"new":1}'), ReasoningPart("rs_1")),
        (UpstreamItemPart("t", '{"type":"t","a":1}', "t_1"), UpstreamItemPart("t", '{"a": 1, "type": "t"}')),
    ],
    ids=["text", "refusal", "call", "reasoning", "item"],
)
def test_what_a_caller_may_leave_out_of_an_answer_is_not_compared(part, echoed):
    digests = {digest_of(Item(Role.ASSISTANT, (one,))) for one in (part, echoed)}
    assert len(digests) == 1


def test_what_a_caller_added_to_its_own_item_is_compared():
    one, other = (
        Item(Role.TOOL, (ToolResultPart("c", (), extra_json=extra),)) for extra in ('{"caller":{}}', "")
    )
    assert digest_of(one) != digest_of(other)
    assert extras_of(one) == b""


def test_more_keys_of_an_answer_are_compared_as_json():
    def extras(text: str) -> bytes:
        return extras_of(Item(Role.ASSISTANT, (TextPart("a", extra_json=text),)))

    assert extras("") == b""
    assert extras('{"a":1,"b":2}') == extras('{"b": 2, "a": 1}') != extras('{"a":1,"b":3}')
