import json

import pytest

import trunkline
from trunkline import Part, UpstreamItemPart, action_result, approval, upstream_item
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_TOOL, Message, TextPart
from trunkline.items import actions_of, as_items

REQUEST = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "delete", "arguments": "{}"}


def answer(*items, **parts):
    return Message(parts=[upstream_item(item) for item in items], **parts)


def types_of(items):
    return [item.type for item in items]


def test_an_item_is_passed_on_as_it_is_written():
    written = '{ "type":"item_reference",  "id":"größe", "n":9007199254740993.0 }'
    assert upstream_item(written).upstream_item == UpstreamItemPart(type="item_reference", json=written)
    item = upstream_item({"type": "item_reference", "id": "größe"}).upstream_item
    assert item.json == '{"type": "item_reference", "id": "größe"}'


@pytest.mark.parametrize("written", ["", "{", "[]", '"type"', '{"type": 1}', "[" * 100_000])
def test_what_is_no_item_is_left_to_the_service_to_refuse(written):
    assert upstream_item(written) == Part(upstream_item=UpstreamItemPart(json=written))


def test_a_message_of_answers():
    ready = upstream_item({"type": "shell_call_output", "call_id": "c1"})
    message = action_result(ready, {"type": "item_reference", "id": "i"}, '{"type": "x"}')
    assert message.role == ROLE_TOOL
    assert message.parts[0] == ready
    assert types_of(trunkline.upstream_items_of(message)) == ["shell_call_output", "item_reference", "x"]


def test_one_item_or_several():
    part = upstream_item({"type": "x"})
    assert as_items(part) == (part,)
    assert as_items("{}") == ("{}",)
    assert as_items({"type": "x"}) == ({"type": "x"},)
    assert as_items([part, "{}"]) == (part, "{}")


def test_an_approval():
    request = upstream_item(REQUEST).upstream_item
    given = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    assert json.loads(approval(request, True).upstream_item.json) == given
    denied = approval(request, False, reason="Not today.").upstream_item
    assert list(json.loads(denied.json).items())[2:] == [("approve", False), ("reason", "Not today.")]


@pytest.mark.parametrize("item", [{"type": "shell_call", "id": "i"}, {"type": "mcp_approval_request"}, "{"])
def test_what_asks_for_no_approval_gets_none(item):
    with pytest.raises(ValueError, match="is not an mcp_approval_request"):
        approval(upstream_item(item).upstream_item, True)


def test_calls_and_requests_wait_until_the_message_answers_them():
    shell = {"type": "shell_call", "id": "i1", "call_id": "c1", "status": "completed"}
    computer = {"type": "computer_call", "id": "i2", "call_id": "c2"}
    assert types_of(actions_of(answer(shell, computer, REQUEST))) == [
        "shell_call",
        "computer_call",
        "mcp_approval_request",
    ]
    output = {"type": "shell_call_output", "id": "i3", "call_id": "c1"}
    used = {"type": "mcp_call", "id": "i4", "approval_request_id": "mcpr_1"}
    assert types_of(actions_of(answer(output, shell, computer, REQUEST, used))) == ["computer_call"]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "tool_search_call", "id": "i", "call_id": None, "execution": "server"},
        {"type": "shell_call_output", "id": "i", "call_id": "c1"},
        {"type": "mcp_approval_request", "name": "delete"},
        {"type": "shell_call", "call_id": 1},
        {"type": "program", "id": "i", "call_id": "c1"},
        '{"type": "shell_call", "call_id": "c',
    ],
)
def test_what_waits_for_nobody(item):
    assert actions_of(answer(item)) == ()


def test_what_the_upstream_adds_to_texts():
    one, two = ({"type": "url_citation", "url": url} for url in ("https://a", "https://b"))
    message = Message(
        parts=[
            Part(
                text=TextPart(text="a", annotations_json=json.dumps([one]), logprobs_json='[{"token":"a"}]')
            ),
            upstream_item({"type": "x"}),
            trunkline.text("plain"),
            Part(text=TextPart(text="b", annotations_json=json.dumps([two]))),
        ]
    )
    assert trunkline.annotations_of(message) == (one, two)
    assert trunkline.logprobs_of(message) == ({"token": "a"},)


@pytest.mark.parametrize("written", ["", "{", "{}", "7", "[" * 100_000, '[7, {"type": "url_citation"}]'])
def test_citations_that_are_no_list_of_objects_are_skipped(written):
    message = Message(parts=[Part(text=TextPart(text="a", annotations_json=written))])
    assert trunkline.annotations_of(message) == (({"type": "url_citation"},) if "url" in written else ())
