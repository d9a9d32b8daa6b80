import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import TurnError
from service.domain.item_keys import NAMED_KEYS
from service.domain.limits import LARGE_BYTES
from service.domain.messages import (
    CompletionRequest,
    Item,
    Message,
    Options,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolKind,
    ToolResultPart,
    UpstreamItemPart,
)
from service.domain.plan import ContextReason, Plan
from service.wire.request import Dialect, bytes_saved, encode, item_sizes, prepare
from tests.unit.rpc.convert.test_messages_out import said

HISTORY = (
    Message(Role.USER, (TextPart("what is on the table? é €"),)),
    Message(
        Role.ASSISTANT,
        (
            ReasoningPart("rs_1", ("hm",), "sealed"),
            ReasoningPart("rs_2"),
            TextPart("let me look", "commentary", item_id="msg_1"),
            ToolCallPart("call_1", "look", '{"at": "table"}'),
        ),
    ),
    Message(Role.TOOL, (ToolResultPart("call_1", (TextPart('a "cup"\n'),)),)),
)
REQUEST = CompletionRequest("s", "gpt-6", HISTORY, "rules", (Tool("look"),), Options(temperature=0.0))
PREPARED = prepare(REQUEST)
SPLITS = (1, 4, 5)
"""Where the upstream's knowledge may end: not after a thought, which is not sent without what followed it."""


def full(items=PREPARED.items):
    return Plan(items, "", ContextReason.FIRST_TURN)


def incremental(known, previous="resp_1"):
    items = PREPARED.items
    return Plan(
        items[known:], previous, ContextReason.CONTINUED, sum(item_sizes(items[:known], ids=PREPARED.store))
    )


def test_a_websocket_frame():
    body = json.loads(encode(PREPARED, full(), websocket=True))
    assert list(body) == [
        "type",
        "model",
        "instructions",
        "tools",
        "store",
        "include",
        "temperature",
        "input",
    ]
    assert body["type"] == "response.create"
    assert [item["type"] for item in body["input"]] == [
        "message", "reasoning", "message", "function_call", "function_call_output",
    ]  # fmt: skip


def test_an_http_body_is_the_same_but_for_its_head():
    frame = json.loads(encode(PREPARED, full(), websocket=True))
    body = json.loads(encode(PREPARED, full(), websocket=False))
    assert body.pop("stream") is True
    assert frame.pop("type") == "response.create"
    assert body == frame


@pytest.mark.parametrize("websocket", [True, False])
def test_original_fault_full_context_sent_together_with_previous_response_id(websocket):
    body = json.loads(encode(PREPARED, incremental(5), websocket=websocket))
    assert body["previous_response_id"] == "resp_1"
    assert [item["type"] for item in body["input"]] == ["function_call_output"]
    assert "previous_response_id" not in json.loads(encode(PREPARED, full(), websocket=websocket))


def test_original_fault_new_user_messages_dropped_in_incremental_mode():
    later = (
        *HISTORY,
        Message(Role.USER, (TextPart("and now?"),)),
        Message(Role.DEVELOPER, (TextPart("hurry"),)),
    )
    turn = prepare(CompletionRequest("s", "gpt-6", later))
    plan = Plan(turn.items[5:], "resp_1", ContextReason.CONTINUED)
    body = json.loads(encode(turn, plan, websocket=True))
    assert [item.get("role", item["type"]) for item in body["input"]] == [
        "function_call_output",
        "user",
        "developer",
    ]


def test_instructions_and_tools_go_with_every_request():
    body = json.loads(encode(PREPARED, incremental(5), websocket=True))
    assert body["instructions"] == "rules"
    assert body["tools"][0]["name"] == "look"


def test_a_warm_up_has_no_input_and_generates_nothing():
    body = json.loads(encode(PREPARED, full(()), websocket=True, generate=False))
    assert body["generate"] is False
    assert body["input"] == []


def test_a_post_cannot_warm_up():
    with pytest.raises(ValueError, match="POST"):
        encode(PREPARED, full(()), websocket=False, generate=False)


def test_unencrypted_reasoning_takes_no_bytes():
    sizes = item_sizes(PREPARED.items, ids=PREPARED.store)
    assert [size == 0 for size in sizes] == [False, False, True, False, False, False]
    assert all(item_sizes(PREPARED.items, ids=True))


def test_the_counts_of_two_halves_add_up_to_the_whole():
    whole = encode(PREPARED, full(), websocket=True)
    size = sum(item_sizes(PREPARED.items, ids=PREPARED.store))
    for known in SPLITS:
        plan = incremental(known)
        assert plan.bytes_known + sum(item_sizes(plan.items, ids=PREPARED.store)) == size
    # One separator each: the array has one less.
    array = whole[whole.index(b'"input":[') + len(b'"input":[') : -2]
    assert size == len(array) + 1


@pytest.mark.parametrize("websocket", [True, False])
@pytest.mark.parametrize("previous", ["resp_1", 'resp_"é\n'])
def test_what_is_saved_is_exact(websocket, previous):
    whole = len(encode(PREPARED, full(), websocket=websocket))
    for known in SPLITS:
        plan = incremental(known, previous)
        assert bytes_saved(plan) == whole - len(encode(PREPARED, plan, websocket=websocket)) > 0


def test_full_requests_and_long_ids_save_nothing():
    assert bytes_saved(full()) == 0
    assert bytes_saved(incremental(1, "resp_" + "x" * 500)) == 0


@given(texts=st.lists(st.text(max_size=20), min_size=2, max_size=6), data=st.data())
def test_what_is_saved_is_exact_for_any_text(texts, data):
    request = CompletionRequest("s", "m", tuple(Message(Role.USER, (TextPart(text),)) for text in texts))
    turn = prepare(request)
    known = data.draw(st.integers(1, len(texts) - 1))
    bytes_known = sum(item_sizes(turn.items[:known], ids=turn.store))
    plan = Plan(turn.items[known:], "r", ContextReason.CONTINUED, bytes_known)
    whole = Plan(turn.items, "", ContextReason.FIRST_TURN)
    sent = [len(encode(turn, one, websocket=True)) for one in (whole, plan)]
    assert bytes_saved(plan) == sent[0] - sent[1]
    texts_sent = [
        part["text"]
        for item in json.loads(encode(turn, plan, websocket=True))["input"]
        for part in item["content"]
    ]
    assert texts_sent == texts[known:]


def test_items_stand_in_the_order_of_the_conversation():
    texts = [f"{n}" for n in range(50)]
    turn = prepare(
        CompletionRequest("s", "m", tuple(Message(Role.USER, (TextPart(text),)) for text in texts))
    )
    data = encode(turn, Plan(turn.items, "", ContextReason.FIRST_TURN), websocket=True)
    places = [data.index(b'"text":"%s"' % text.encode()) for text in texts]
    assert all(one < other for one, other in pairwise(places))


def test_a_prepared_request_has_all_items():
    assert PREPARED.items[0] == Item(Role.USER, HISTORY[0].parts)
    assert len(PREPARED.items) == 6
    assert PREPARED.store is False


def large(**changes):
    """The same conversation as a request that is written piece by piece."""
    return replace(REQUEST, size=LARGE_BYTES + 1, **changes)


@pytest.mark.parametrize("websocket", [True, False])
def test_a_large_request_is_written_as_a_small_one(websocket):
    turn = prepare(large())
    assert turn.large
    assert (turn.items, turn.settings, turn.fingerprint) == (
        PREPARED.items,
        PREPARED.settings,
        PREPARED.fingerprint,
    )
    assert encode(turn, full(), websocket=websocket) == encode(PREPARED, full(), websocket=websocket)
    assert encode(turn, full(()), websocket=websocket) == encode(PREPARED, full(()), websocket=websocket)
    sizes = item_sizes(turn.items, ids=turn.store, large=True)
    assert sizes == item_sizes(PREPARED.items, ids=PREPARED.store)


def test_encoding_stops_at_the_bound():
    text = Message(Role.USER, (TextPart("\x01" * 1_000_000),))
    turn = prepare(large(messages=(text,)))
    plan = Plan(turn.items, "", ContextReason.FIRST_TURN)
    with pytest.raises(TurnError, match="request: written as JSON it has more than 2000000 bytes"):
        encode(turn, plan, websocket=True, most=2_000_000)
    with pytest.raises(TurnError, match="request: written as JSON"):
        prepare(large(instructions="\x01" * 1_000_000), most=2_000_000)


SEARCH = '{ "type":"web_search_call", "id":"ws_1", "n": 1.50 }'
ANSWER = Message(
    Role.ASSISTANT,
    (
        ReasoningPart("rs_1", (), "sealed"),
        TextPart("let me see", "commentary", item_id="msg_1"),
        UpstreamItemPart("web_search_call", SEARCH),
        TextPart("a", item_id="msg_2"),
        TextPart("b", annotations_json='[{"n": 1.50}]', item_id="msg_3", extra_json='{"new": 1.50}'),
        ToolCallPart("call_2", "run", "ls", ToolKind.CUSTOM, "ctc_1"),
        ReasoningPart("rs_2", (), "sealed"),
    ),
)
APPROVED = '{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}'
RESULTS = Message(
    Role.TOOL,
    (
        ToolResultPart("call_2", (TextPart("x"),), kind=ToolKind.CUSTOM),
        UpstreamItemPart("mcp_approval_response", APPROVED),
    ),
)


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize("size", [0, LARGE_BYTES + 1])
def test_every_item_of_an_answer_is_in_a_full_request(store, size):
    request = CompletionRequest("s", "m", (ANSWER, RESULTS), options=Options(store=store), size=size)
    turn = prepare(request)
    body = encode(turn, full(turn.items), websocket=False)
    items = json.loads(body)["input"]
    assert [item["type"] for item in items] == [
        "reasoning", "message", "web_search_call", "message", "message", "custom_tool_call",
        "custom_tool_call_output", "mcp_approval_response",
    ]  # fmt: skip
    ids = [item.get("id") for item in items]
    assert ids == (
        ["rs_1", "msg_1", "ws_1", "msg_2", "msg_3", "ctc_1", None, None]
        if store
        else [None, None, "ws_1", None, None, None, None, None]
    )
    for verbatim in (SEARCH, APPROVED, '"annotations":[{"n": 1.50}]', '"new":1.50'):
        assert verbatim.encode() in body
    sizes = item_sizes(turn.items, ids=store, large=turn.large)
    assert sum(sizes) == len(body) - body.index(b'"input":[') - len('"input":[') - len("]}") + 1
    assert [bool(size) for size in sizes] == [True] * 5 + [False] + [True] * 2


def said_by(part):
    """What a part says, as it can be found in a request."""
    match part:
        case TextPart() | RefusalPart():
            return part.text
        case ToolCallPart():
            return part.call_id, part.name, part.arguments
        case UpstreamItemPart():
            return json.loads(part.json)
        case _:
            return part.summary, part.content, part.encrypted_content


def found(item):
    """What an item of a request says, part by part."""
    match item["type"]:
        case "message":
            return [part.get("text", part.get("refusal")) for part in item["content"]]
        case "function_call" | "custom_tool_call" as kind:
            arguments = item["input" if kind == "custom_tool_call" else "arguments"]
            return [(item["call_id"], item["name"], arguments)]
        case "reasoning":
            summary, content = (
                tuple(part["text"] for part in item.get(field, ())) for field in ("summary", "content")
            )
            return [(summary, content, item.get("encrypted_content", ""))]
        case _:
            return [item]


@given(st.lists(said, max_size=6), st.booleans())
def test_a_full_request_holds_all_of_any_answer_in_its_order(parts, store):
    """But for thoughts at its end, and those that are only an id that nobody could look up."""
    messages = (Message(Role.ASSISTANT, tuple(parts)), Message(Role.USER, (TextPart("go on"),)))
    turn = prepare(CompletionRequest("s", "m", messages, options=Options(store=store)))
    items = json.loads(encode(turn, full(turn.items), websocket=True))["input"]
    kept: list[Part] = []
    followed = named = False
    for part in reversed(parts):
        if not isinstance(part, ReasoningPart):
            kept.append(part)
            followed, named = True, store and (bool(part.item_id) or isinstance(part, UpstreamItemPart))
        elif followed and (part.encrypted_content or part.content or (named and part.id)):
            kept.append(part)
    kept.reverse()
    assert [part for item in items for part in found(item)] == [*map(said_by, kept), "go on"]
    ids = [item.get("id") for item in items if item["type"] in NAMED_KEYS]
    assert store or not any(ids)


@pytest.mark.parametrize("size", [0, LARGE_BYTES + 1], ids=["small", "large"])
def test_an_upstream_that_takes_no_ids_gets_none_and_the_sizes_say_so(size):
    stored = replace(REQUEST, options=Options(store=True), size=size)
    written = []
    for dialect in (Dialect(), Dialect(ids=False)):
        prepared = prepare(stored, dialect=dialect)
        body = bytes(encode(prepared, full(prepared.items), websocket=True))
        sizes = item_sizes(prepared.items, ids=prepared.ids, large=prepared.large)
        assert sum(sizes) - 1 == len(body[body.index(b'"input":[') + 9 : -2])
        written.append(body)
    with_ids, without = written
    assert b'"msg_1"' in with_ids
    assert b'"msg_1"' not in without
    assert json.loads(without)["store"] is True


def test_an_upstream_that_wants_all_thoughts_gets_each():
    last = Message(Role.ASSISTANT, (ReasoningPart("rs_9", content=("alone",)),))
    request = replace(REQUEST, messages=(*HISTORY, last))
    for dialect, holds in ((Dialect(), False), (Dialect(paired=False), True)):
        prepared = prepare(request, dialect=dialect)
        body = bytes(encode(prepared, full(prepared.items), websocket=True))
        assert (b"alone" in body) is holds
