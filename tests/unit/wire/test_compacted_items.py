"""What stands for a conversation goes back as it came, as parts where they can hold it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import Reason, TurnError
from service.domain.limits import MAX_ID, MAX_JSON_NODES, MAX_NAME, MAX_URL
from service.domain.messages import (
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolKind,
    UpstreamItemPart,
    items_of,
)
from service.rpc.convert.messages import read_messages
from service.rpc.convert.messages_out import message_out
from service.rpc.convert.validate import Violations
from service.wire import compacted_items
from service.wire.bounds import MAX_PARTS, Bounds
from service.wire.compacted_items import message_of
from service.wire.input_items import item_jsons
from service.wire.tally import Tally

TEXT = {"type": "input_text", "text": "Hello."}


def read(item: Any, ignored: Tally | None = None) -> Message | None:
    raw = msgspec.Raw(item if isinstance(item, bytes) else json.dumps(item).encode())
    return message_of(raw, Bounds(), Tally() if ignored is None else ignored)


def part_of(item: Any) -> tuple[Role, object]:
    message = read(item)
    assert message is not None
    (part,) = message.parts
    return message.role, part


def sent(item: Any) -> list[Any]:
    """What a request with the item's message holds, where the upstream stores responses."""
    message = read(item)
    assert message is not None
    written = [one for item in items_of((message,)) for one in item_jsons(item, store=True)]
    return [json.loads(msgspec.json.encode(one)) for one in written]


def said(*contents: Any, role: str = "user", **fields: Any) -> dict[str, Any]:
    return {"id": "msg_1", "type": "message", "role": role, "content": [*contents], **fields}


@pytest.mark.parametrize("role", ["user", "system", "developer"])
def test_what_a_caller_said_is_a_text_with_what_else_its_item_has(role):
    item = said(TEXT, role=role, status="completed", created_by="x")
    extra = '{"status":"completed","created_by":"x"}'
    assert part_of(item) == (Role(role), TextPart("Hello.", item_id="msg_1", extra_json=extra))
    assert sent(item) == [item]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (
            {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low"},
            ImagePart("https://a.example/b.png", detail="low", item_id="msg_1"),
        ),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            ImagePart("data:image/png;base64,AAAA", detail="auto", item_id="msg_1"),
        ),
        (
            {"type": "input_image", "file_id": "file_1", "detail": "auto"},
            ImagePart(file_id="file_1", detail="auto", item_id="msg_1"),
        ),
        ({"type": "input_file", "file_id": "file_1"}, FilePart(file_id="file_1", item_id="msg_1")),
        (
            {"type": "input_file", "file_url": "https://a.example/b.pdf", "filename": "b.pdf"},
            FilePart("https://a.example/b.pdf", filename="b.pdf", item_id="msg_1"),
        ),
        (
            {"type": "input_file", "file_data": "data:text/plain;base64,aGk=", "filename": "b.txt"},
            FilePart(data=b"hi", filename="b.txt", mime_type="text/plain", item_id="msg_1"),
        ),
    ],
)
def test_images_and_files_are_parts(content, part):
    item = said(content)
    assert part_of(item) == (Role.USER, part)
    assert sent(item) == [item]


@pytest.mark.parametrize(
    "content",
    [
        {"type": "input_hologram"},
        {"type": "input_text", "text": ""},
        {"type": "input_text"},
        {"type": "input_text", "text": "Hi.", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": "https://a.example/b.png"},
        {"type": "input_image", "detail": "auto"},
        {"type": "input_image", "image_url": "https://a", "file_id": "f", "detail": "auto"},
        {"type": "input_image", "image_url": "h" * (MAX_URL + 1), "detail": "auto"},
        {"type": "input_image", "file_id": "f", "detail": "x" * (MAX_NAME + 1)},
        {"type": "input_file"},
        {"type": "input_file", "file_id": "f" * (MAX_ID + 1)},
        {"type": "input_file", "file_id": "f", "filename": "a"},
        {"type": "input_file", "file_url": "h" * (MAX_URL + 1)},
        {"type": "input_file", "file_url": "https://a", "filename": "a" * (MAX_NAME + 1)},
        {"type": "input_file", "file_data": "data:text/plain;base64,aGk="},
        {"type": "input_file", "file_data": "aGk=", "filename": "a"},
        {"type": "input_file", "file_data": "data:text/plain;base64,?", "filename": "a"},
        {"type": "input_file", "file_data": "data:text/plain;base64,aGl=", "filename": "a"},
        {"type": "input_file", "file_data": "data:text/plain;base64,", "filename": "a"},
    ],
    ids=lambda content: json.dumps(content)[:90],
)
def test_a_content_that_no_part_can_hold_keeps_its_item_verbatim(content):
    item = said(TEXT, content)
    assert part_of(item) == (Role.USER, UpstreamItemPart("message", json.dumps(item), "msg_1"))
    assert sent(item) == [item]


@pytest.mark.parametrize(
    "item",
    [
        said(),
        said(TEXT, phase="commentary"),
        said({"type": "input_image", "file_id": "f", "detail": "auto"}, role="system"),
        said(TEXT, role="critic"),
        said(TEXT, more={str(number): number for number in range(MAX_JSON_NODES)}),
        {"role": "user", "content": [{"type": "input_hologram"}]},
    ],
    ids=["no content", "a phase", "an image of the system", "an unknown role", "too many keys", "no type"],
)
def test_so_does_an_item_that_no_message_can_hold(item):
    role, part = part_of(item)
    assert role is Role.USER
    assert isinstance(part, UpstreamItemPart)
    assert json.loads(part.json) == {"type": "message"} | item
    assert sent(item) == [{"type": "message"} | item]


def test_a_message_may_leave_its_type_and_its_list_out():
    assert part_of({"role": "user", "content": "Hello."}) == (Role.USER, TextPart("Hello."))


@pytest.mark.parametrize(
    ("item", "part"),
    [
        (
            said({"type": "output_text", "text": "Hi.", "annotations": []}, role="assistant"),
            TextPart("Hi.", item_id="msg_1"),
        ),
        (
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
            ToolCallPart("c", "f", "{}", item_id="fc_1"),
        ),
        (
            {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x", "namespace": "n"},
            ToolCallPart("c", "f", "x", ToolKind.CUSTOM, extra_json='{"namespace":"n"}'),
        ),
        (
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "s"},
            ReasoningPart("rs_1", encrypted_content="s"),
        ),
    ],
    ids=["a text", "a call", "a custom call", "a thought"],
)
def test_what_the_model_said_is_read_as_in_an_answer(item, part):
    assert part_of(item) == (Role.ASSISTANT, part)
    assert sent(item) == [item]


@pytest.mark.parametrize(
    "item",
    [
        said({"type": "output_text", "text": "Hi."}, {"type": "hologram"}, role="assistant"),
        said({"type": "hologram"}, role="assistant"),
        {"type": "function_call", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{", "status": "incomplete"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "what_comes_next_year"},
    ],
    ids=["half a text", "no text", "no call id", "a call cut off", "a hosted call", "an unknown type"],
)
def test_what_no_part_can_hold_of_it_is_verbatim(item):
    role, part = part_of(item)
    assert (role, part) == (
        Role.ASSISTANT,
        UpstreamItemPart(item["type"], json.dumps(item), item.get("id", "")),
    )
    assert sent(item) == [item]


@pytest.mark.parametrize(
    "kind",
    [
        "compaction",
        "compaction_summary",
        "item_reference",
        "compaction_trigger",
        "function_call_output",
        "mcp_approval_response",
    ],
)
def test_a_compaction_and_what_callers_answer_stand_in_their_role(kind):
    item = {"type": kind, "id": "x_1", "encrypted_content": "s"}
    assert part_of(item) == (Role.USER, UpstreamItemPart(kind, json.dumps(item), "x_1"))


@pytest.mark.parametrize(
    ("item", "counted"),
    [
        (b"null", "field:item"),
        (b"[1]", "field:item"),
        (b'{"type": 1}', "field:item"),
        (b"{}", "item:"),
        (json.dumps({"type": "x" * (MAX_NAME + 1)}).encode(), "item:" + "x" * 59),
    ],
)
def test_what_is_no_item_is_counted(item, counted):
    ignored = Tally()
    assert read(item, ignored) is None
    assert ignored == {counted: 1}


def test_the_bounds_of_an_answer_hold():
    with pytest.raises(TurnError) as long_id:
        read({"type": "compaction", "id": "x" * (MAX_ID + 1)})
    with pytest.raises(TurnError) as many_parts:
        read(said(*[TEXT] * (MAX_PARTS + 1)))
    assert long_id.value.reason is many_parts.value.reason is Reason.PROTOCOL_ERROR


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CONTENTS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["input_text", "input_image", "input_file", "output_text", "refusal", "x"])},
        optional={
            "text": st.text(max_size=5),
            "refusal": st.text(max_size=5),
            "image_url": st.just("data:a/b;base64,AAAA"),
            "file_id": st.just("f"),
            "file_data": st.sampled_from(["data:a/b;base64,AAAA", "data:a/b;base64,AAB="]),
            "filename": st.just("n"),
            "detail": st.just("auto"),
            "annotations": st.lists(JSON, max_size=2),
            "more": JSON,
        },
    ),
    max_size=3,
)
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "reasoning", "compaction", "x"])},
    optional={
        "id": st.sampled_from(["a", "b"]),
        "role": st.sampled_from(["user", "system", "assistant", "tool"]),
        "status": st.sampled_from(["completed", "incomplete"]),
        "content": CONTENTS | st.text(max_size=5) | JSON,
        "phase": st.sampled_from(["commentary", None]),
        "call_id": st.just("c"),
        "name": st.just("f"),
        "arguments": st.just("{}"),
        "summary": st.just([]),
        "more": JSON,
    },
)


def as_sent(value: Any) -> Any:
    """Without what is nothing: nulls, what is empty, the status."""
    if isinstance(value, dict):
        fields = {key: as_sent(inner) for key, inner in value.items()}
        return {key: inner for key, inner in fields.items() if inner not in (None, "", [], {})}
    return [as_sent(inner) for inner in value] if isinstance(value, list) else value


@given(ITEMS)
def test_every_item_goes_back_as_it_came(item):
    (back,) = sent(item)
    if isinstance(item.get("content"), str) and isinstance(back["content"], list):
        item["content"] = [{"type": "input_text", "text": item["content"]}]
    for one in (back, item):
        one.pop("status", None)
    assert as_sent(back) == as_sent(item)


@pytest.mark.parametrize("depth", [100, 400, 500, 700, 900, 5000])
def test_what_is_nested_deep_goes_back_or_is_counted(depth):
    ignored = Tally()
    item = json.dumps(said(TEXT))[:-1] + ', "more": ' + "[" * depth + "]" * depth + "}"
    message = read(item.encode(), ignored)
    assert (message is None) is bool(ignored)
    if message is not None:
        assert "[" * depth in message.parts[0].extra_json + getattr(message.parts[0], "json", "")


def test_what_is_nested_too_deep_to_compare_is_kept_verbatim(monkeypatch):
    def canonical(_item):
        raise RecursionError

    monkeypatch.setattr(compacted_items, "_canonical", canonical)
    item = said(TEXT)
    assert part_of(item)[1] == UpstreamItemPart("message", json.dumps(item), "msg_1")


@given(st.lists(ITEMS, min_size=1, max_size=5))
def test_every_item_is_valid_in_a_request(items):
    messages = [read(item) for item in items]
    found = Violations()
    again = read_messages(found, [message_out(message) for message in messages if message is not None], 100)
    found.check()
    assert list(items_of(again)) == list(items_of(tuple(message for message in messages if message)))
