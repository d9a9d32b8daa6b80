import json

import pytest

from trunkline import (
    Message,
    Part,
    ToolCallPart,
    assistant,
    image_url,
    text,
    tool_result,
    upstream_item,
    user,
)
from trunkline.gen.trunkline.v1.message_pb2 import (
    ROLE_ASSISTANT,
    ROLE_DEVELOPER,
    ROLE_TOOL,
    ROLE_USER,
    TOOL_CALL_KIND_CUSTOM,
    ReasoningPart,
    RefusalPart,
    TextPart,
)
from trunkline.response_items import ResponseItem, items_from_message, messages_from_items

SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}
CITATION = {"type": "url_citation", "url": "https://t.example", "start_index": 0, "end_index": 1}
ANSWER = Message(
    role=ROLE_ASSISTANT,
    parts=[
        Part(reasoning=ReasoningPart(id="rs_1", summary=["why"], encrypted_content="s"), item_id="rs_1"),
        Part(upstream_item=upstream_item(SEARCH).upstream_item, item_id="ws_1"),
        Part(
            text=TextPart(
                text="A", phase="commentary", annotations_json=json.dumps([CITATION]), logprobs_json="[{}]"
            ),
            item_id="msg_1",
            extra_json='{"mood": null}',
        ),
        Part(text=TextPart(text="B", phase="commentary"), item_id="msg_1"),
        Part(text=TextPart(text="C", phase="final_answer"), item_id="msg_2"),
        Part(refusal=RefusalPart(text="no"), item_id="msg_2"),
        Part(
            tool_call=ToolCallPart(call_id="c1", name="f", arguments='{"x":'),
            item_id="fc_1",
            extra_json='{"namespace": "n"}',
        ),
        Part(
            tool_call=ToolCallPart(call_id="c2", name="sql", arguments="x", kind=TOOL_CALL_KIND_CUSTOM),
            item_id="ct_1",
        ),
    ],
)


def test_an_answer_is_items_and_the_same_answer_again():
    items = items_from_message(ANSWER)
    assert [(index, item["type"]) for index, item in items.items()] == [
        (0, "reasoning"),
        (1, "web_search_call"),
        (2, "message"),
        (4, "message"),
        (6, "function_call"),
        (7, "custom_tool_call"),
    ]
    assert items[1] == SEARCH
    assert items[2]["content"][0]["annotations"] == [CITATION]
    assert (items[2]["mood"], items[2]["phase"]) == (None, "commentary")
    assert [content["type"] for content in items[4]["content"]] == ["output_text", "refusal"]
    assert (items[6]["arguments"], items[6]["namespace"]) == ('{"x":', "n")
    assert items[7]["input"] == "x"
    assert messages_from_items(items.values()) == [ANSWER]


def test_an_answer_without_ids_has_none():
    answer = Message(
        role=ROLE_ASSISTANT, parts=[text("A"), Part(tool_call=ToolCallPart(call_id="c", name="f"))]
    )
    items = items_from_message(answer)
    assert not any("id" in item for item in items.values())
    assert messages_from_items(items.values()) == [answer]


def test_what_a_caller_says():
    items: list[ResponseItem] = [
        {"role": "user", "content": "a"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "b"}]},
        {"role": "developer", "content": "be brief"},
        {"role": "assistant", "content": "c"},
        {
            "role": "user",
            "content": [{"type": "input_image", "image_url": "https://x.example", "detail": "low"}],
        },
    ]
    assert messages_from_items(items) == [
        user("a"),
        user("b"),
        Message(role=ROLE_DEVELOPER, parts=[text("be brief")]),
        assistant("c"),
        user(image_url("https://x.example", detail="low")),
    ]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ({"type": "input_image", "file_id": "f", "detail": "auto"}, {"file_id": "f", "detail": "auto"}),
        ({"type": "input_file", "file_url": "https://x.example", "filename": "n"}, {"filename": "n"}),
        ({"type": "input_file", "file_id": "f", "filename": None}, {"file_id": "f"}),
    ],
)
def test_images_and_files(content, part):
    (message,) = messages_from_items([{"role": "user", "content": [content]}])
    found = message.parts[0]
    value = getattr(found, found.WhichOneof("part"))
    assert {name: getattr(value, name) for name in part} == part


@pytest.mark.parametrize(
    ("output", "result"),
    [("2.4", "2.4"), ("", None), ([{"type": "input_text", "text": "2.4"}], [text("2.4")])],
)
def test_results_of_tools(output, result):
    item = {"type": "function_call_output", "call_id": "c1", "output": output}
    assert messages_from_items([item]) == [tool_result("c1", result)]


VERBATIM = [
    ({"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, ROLE_USER),
    ({"role": "user", "content": [{"type": "input_file", "file_data": "data:", "filename": "n"}]}, ROLE_USER),
    ({"role": "developer", "content": [{"type": "input_text", "text": "a", "cache": 1}]}, ROLE_USER),
    ({"role": "assistant", "id": "m", "content": [{"type": "output_audio"}]}, ROLE_ASSISTANT),
    ({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_video"}]}, ROLE_TOOL),
    ({"type": "mcp_approval_response", "approval_request_id": "r", "approve": True}, ROLE_TOOL),
    ({"type": "local_shell_call_output", "id": "c", "output": "x"}, ROLE_TOOL),
    ({"type": "shell_call_output", "call_id": "c", "output": []}, ROLE_TOOL),
    ({"type": "shell_call_output", "id": "so_1", "call_id": "c", "output": []}, ROLE_ASSISTANT),
    ({"type": "item_reference", "id": "m"}, ROLE_TOOL),
    ({"type": "compaction", "id": "cmp_1", "encrypted_content": "s"}, ROLE_ASSISTANT),
    ({"type": "unheard_of", "id": "u"}, ROLE_ASSISTANT),
]


@pytest.mark.parametrize(("item", "role"), VERBATIM)
def test_what_no_part_can_hold_goes_as_it_is(item, role):
    (message,) = messages_from_items([item])
    (part,) = message.parts
    assert message.role == role
    assert json.loads(part.upstream_item.json) == {"type": "message"} | item
    assert part.upstream_item.type == item.get("type", "message")
    assert part.item_id == item.get("id", "")


def test_a_callers_own_keys_are_kept():
    item = {"role": "user", "content": "a", "status": "completed", "mark": 1}
    (message,) = messages_from_items([item])
    assert json.loads(message.parts[0].extra_json) == {"status": "completed", "mark": 1}


def test_items_of_two_answers_with_something_between_are_two_messages():
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed"}
    result = {"type": "function_call_output", "call_id": "c", "output": "r"}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A"}]}
    roles = [message.role for message in messages_from_items([said, call, result, said])]
    assert roles == [ROLE_ASSISTANT, ROLE_TOOL, ROLE_ASSISTANT]


def test_a_placeholder_is_no_id():
    items: list[ResponseItem] = [
        {"type": "reasoning", "id": one, "summary": [], "encrypted_content": "s"} for one in ("none", "rs_1")
    ]
    (message,) = messages_from_items(items, placeholder_id="none")
    assert [(part.item_id, part.reasoning.id) for part in message.parts] == [("", ""), ("rs_1", "rs_1")]
