from base64 import b64encode
from json import dumps

import msgspec
import pytest
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from pydantic import TypeAdapter

from service.domain.item_keys import item_type
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
from service.wire.input_items import BASE64_STEP, TOOL_ERROR_MARK, item_jsons, sent

OFFICIAL = TypeAdapter(ResponseInputItemParam)
PNG_URL = "data:image/png;base64,iVBORw=="
PNG = ImagePart(data=b"\x89PNG", mime_type="image/png")


def written(role, *parts, store=False):
    """Return the item as the upstream reads it: one object."""
    (json,) = several(role, *parts, store=store)
    return json


def several(role, *parts, store=False):
    return msgspec.json.decode(msgspec.json.encode(item_jsons(Item(role, parts), store=store)))


@pytest.mark.parametrize("role", [Role.USER, Role.SYSTEM, Role.DEVELOPER])
def test_what_people_and_programs_say_is_input_text(role):
    message = written(role, TextPart("a"), TextPart("b"))
    content = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert message == {"type": "message", "role": role.value, "content": content}
    assert OFFICIAL.validate_python(message)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (ImagePart(url="https://x/y.png"), {"image_url": "https://x/y.png", "detail": "auto"}),
        (ImagePart(file_id="file_1", detail="low"), {"file_id": "file_1", "detail": "low"}),
        (PNG, {"image_url": PNG_URL, "detail": "auto"}),
    ],
)
def test_original_fault_images_source_style(image, expected):
    message = written(Role.USER, TextPart("look"), image)
    assert message["content"][1] == {"type": "input_image", **expected}
    assert OFFICIAL.validate_python(message)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            FilePart(url="https://x/y.pdf", filename="y.pdf"),
            {"file_url": "https://x/y.pdf", "filename": "y.pdf"},
        ),
        (FilePart(file_id="file_1", filename="y.pdf"), {"file_id": "file_1"}),
        (
            FilePart(data=b"%PDF", mime_type="application/pdf", filename="y.pdf"),
            {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "y.pdf"},
        ),
    ],
)
def test_files(file, expected):
    message = written(Role.USER, file)
    assert message["content"] == [{"type": "input_file", **expected}]
    assert OFFICIAL.validate_python(message)


def test_what_the_model_generated_is_sent_as_output():
    message = written(Role.ASSISTANT, TextPart("a"), RefusalPart("no"))
    assert message == {
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "output_text", "text": "a", "annotations": []},
            {"type": "refusal", "refusal": "no"},
        ],
    }
    # The official type is of a message that the upstream made. Ids are its own, so none is invented here.
    assert OFFICIAL.validate_python(message | {"id": "msg_1", "status": "completed"})


def test_the_phase_stands_on_the_message():
    assert written(Role.ASSISTANT, TextPart("a", "commentary"))["phase"] == "commentary"


def test_original_fault_malformed_tool_arguments_become_empty():
    item = written(Role.ASSISTANT, ToolCallPart("call_1", "look", '{"broken": '))
    assert item == {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"broken": '}
    assert OFFICIAL.validate_python(item)


@pytest.mark.parametrize(
    ("parts", "is_error", "output"),
    [
        ((), False, ""),
        ((), True, TOOL_ERROR_MARK),
        ((TextPart("42"),), False, "42"),
        ((TextPart("boom"),), True, TOOL_ERROR_MARK + "boom"),
        (
            (TextPart("a"), TextPart("b")),
            False,
            [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}],
        ),
    ],
)
def test_tool_results(parts, is_error, output):
    item = written(Role.TOOL, ToolResultPart("call_1", parts, is_error))
    assert item == {"type": "function_call_output", "call_id": "call_1", "output": output}
    assert OFFICIAL.validate_python(item)


def test_original_fault_tool_result_images_dropped():
    item = written(Role.TOOL, ToolResultPart("call_1", (PNG, FilePart(file_id="file_1")), is_error=True))
    assert item["output"] == [
        {"type": "input_text", "text": TOOL_ERROR_MARK},
        {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
        {"type": "input_file", "file_id": "file_1"},
    ]
    assert OFFICIAL.validate_python(item)


def test_original_fault_reasoning_items_and_encrypted_content_lost():
    item = written(Role.ASSISTANT, ReasoningPart("rs_1", ("a", "b"), "sealed", ("full",)))
    assert item == {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        "content": [{"type": "reasoning_text", "text": "full"}],
        "encrypted_content": "sealed",
    }
    # The official type has an id, but without store upstreams take reasoning only without one.
    assert OFFICIAL.validate_python(item | {"id": "rs_1"})


def test_reasoning_that_is_only_an_id_is_sent_only_with_store():
    part = ReasoningPart("rs_1", ("summary",))
    assert several(Role.ASSISTANT, part) == []
    stored = written(Role.ASSISTANT, part, store=True)
    assert stored["id"] == "rs_1"
    assert OFFICIAL.validate_python(stored)
    assert several(Role.ASSISTANT, ReasoningPart("", ("summary",)), store=True) == []


def test_raw_reasoning_text_is_sent_without_an_id():
    item = written(Role.ASSISTANT, ReasoningPart("rs_1", content=("I think",)))
    assert item == {
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "I think"}],
    }


EXTRA = '{"new":{"n":9007199254740993},"type":"no","status":"completed"}'
NAMED = {
    "text": (Role.ASSISTANT, TextPart("a", item_id="i_1", extra_json=EXTRA)),
    "refusal": (Role.ASSISTANT, RefusalPart("a", "i_1", EXTRA)),
    "call": (Role.ASSISTANT, ToolCallPart("c", "f", "{}", item_id="i_1", extra_json=EXTRA)),
    "custom call": (Role.ASSISTANT, ToolCallPart("c", "f", "x", ToolKind.CUSTOM, "i_1", EXTRA)),
    "reasoning": (Role.ASSISTANT, ReasoningPart("i_1", (), "sealed", extra_json=EXTRA)),
    "result": (Role.TOOL, ToolResultPart("c", (), item_id="i_1", extra_json=EXTRA)),
    "question": (Role.USER, TextPart("a", item_id="i_1", extra_json=EXTRA)),
}


@pytest.mark.parametrize(("role", "part"), NAMED.values(), ids=NAMED.keys())
def test_ids_are_sent_with_store_only_and_more_keys_always(role, part):
    item, stored = written(role, part), written(role, part, store=True)
    assert stored == item | {"id": "i_1"}
    assert "id" not in item
    assert item["new"] == {"n": 9007199254740993}
    assert item["type"] == item_type(part)


def test_custom_tools_have_free_text_and_outputs_of_their_own():
    call = written(Role.ASSISTANT, ToolCallPart("c", "f", "free { text", ToolKind.CUSTOM))
    assert call == {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "free { text"}
    output = written(Role.TOOL, ToolResultPart("c", (TextPart("42"),), kind=ToolKind.CUSTOM))
    assert output == {"type": "custom_tool_call_output", "call_id": "c", "output": "42"}
    assert OFFICIAL.validate_python(call)
    assert OFFICIAL.validate_python(output)


def test_citations_and_log_probabilities_are_sent_back():
    citation = {"type": "url_citation", "start_index": 0, "end_index": 1, "title": "t", "url": "https://a"}
    text = TextPart("a", annotations_json=dumps([citation]), logprobs_json='[{"token": "a"}]')
    assert written(Role.ASSISTANT, text)["content"] == [
        {"type": "output_text", "text": "a", "annotations": [citation], "logprobs": [{"token": "a"}]}
    ]


def test_texts_of_several_ids_are_several_messages():
    texts = (
        TextPart("a", item_id="m_1", extra_json='{"x":1}'),
        TextPart("b", item_id="m_1", extra_json='{"y":2}'),
        TextPart("c", item_id="m_2"),
        TextPart("d"),
        RefusalPart("e"),
        TextPart("f", extra_json='{"x":2}'),
        TextPart("g"),
    )
    messages = several(Role.ASSISTANT, *texts, store=True)
    assert [[part.get("text", "e") for part in message["content"]] for message in messages] == [
        ["a", "b"], ["c"], ["d", "e"], ["f", "g"],
    ]  # fmt: skip
    assert [message.get("id") for message in messages] == ["m_1", "m_2", None, None]
    assert [(message.get("x"), message.get("y")) for message in messages] == [
        (1, 2), (None, None), (None, None), (2, None),
    ]  # fmt: skip
    assert "id" not in several(Role.ASSISTANT, *texts)[0]


def test_an_item_of_the_upstream_is_sent_verbatim():
    json = '{ "type":"web_search_call","id":"ws_1", "n": 1.50 }'
    (raw,) = item_jsons(Item(Role.ASSISTANT, (UpstreamItemPart("web_search_call", json),)), store=False)
    assert msgspec.json.encode([raw]) == f"[{json}]".encode()


def said(part):
    return Item(Role.ASSISTANT, (part,))


THOUGHT, NAMELESS = said(ReasoningPart("r")), said(ReasoningPart(""))
WORDS, NAMED_WORDS = said(TextPart("a")), said(TextPart("a", item_id="m"))
QUESTION, SEARCH = Item(Role.USER, (TextPart("q"),)), said(UpstreamItemPart("t", "{}"))


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize(
    ("items", "kept"),
    [
        ([QUESTION, THOUGHT, NAMED_WORDS], [QUESTION, THOUGHT, NAMED_WORDS]),
        ([THOUGHT, THOUGHT, SEARCH, THOUGHT], [THOUGHT, THOUGHT, SEARCH, None]),
        ([THOUGHT, QUESTION, WORDS, THOUGHT, QUESTION], [None, QUESTION, WORDS, None, QUESTION]),
        ([], []),
    ],
)
def test_a_thought_is_never_sent_without_what_followed_it(items, kept, store):
    assert sent(items, store=store) == kept


def test_an_id_of_a_thought_is_never_sent_without_that_of_what_followed_it():
    items = [THOUGHT, NAMED_WORDS, THOUGHT, THOUGHT, WORDS]
    assert sent(items, store=True) == [THOUGHT, NAMED_WORDS, NAMELESS, NAMELESS, WORDS]
    assert sent(items, store=False) == items


@pytest.mark.parametrize("item", [Item(Role.ASSISTANT, (PNG,)), Item(Role.USER, (RefusalPart("no"),))])
def test_a_part_of_the_wrong_role_raises(item):
    with pytest.raises(TypeError):
        item_jsons(item, store=False)


@pytest.mark.parametrize("size", [BASE64_STEP - 1, BASE64_STEP, BASE64_STEP + 1, 2 * BASE64_STEP + 2])
def test_large_data_is_the_same_base64_as_in_one_call(size):
    data = bytes(number % 251 for number in range(size))
    image = written(Role.USER, ImagePart(data=data, mime_type="image/png"))["content"][0]
    assert image["image_url"] == f"data:image/png;base64,{b64encode(data).decode()}"


def test_thoughts_go_alone_where_the_upstream_wants_all_of_them():
    items = [THOUGHT, Item(Role.USER, (TextPart("And?"),))]
    assert sent(items, store=True)[0] is None
    assert sent(items, store=True, paired=False) == items
