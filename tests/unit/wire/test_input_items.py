from base64 import b64encode

import pytest
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from pydantic import TypeAdapter

from service.domain.messages import (
    FilePart,
    ImagePart,
    Item,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from service.wire.input_items import BASE64_STEP, TOOL_ERROR_MARK, item_json

OFFICIAL = TypeAdapter(ResponseInputItemParam)
PNG_URL = "data:image/png;base64,iVBORw=="
PNG = ImagePart(data=b"\x89PNG", mime_type="image/png")


def written(role, *parts, store=False):
    return item_json(Item(role, parts), store=store)


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
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
        "content": [{"type": "reasoning_text", "text": "full"}],
        "encrypted_content": "sealed",
    }
    assert OFFICIAL.validate_python(item)


def test_unencrypted_reasoning_is_sent_only_with_store():
    part = ReasoningPart("rs_1")
    assert written(Role.ASSISTANT, part) is None
    stored = written(Role.ASSISTANT, part, store=True)
    assert stored == {"type": "reasoning", "id": "rs_1", "summary": []}
    assert OFFICIAL.validate_python(stored)


@pytest.mark.parametrize("item", [Item(Role.ASSISTANT, (PNG,)), Item(Role.USER, (RefusalPart("no"),))])
def test_a_part_of_the_wrong_role_raises(item):
    with pytest.raises(TypeError):
        item_json(item, store=False)


@pytest.mark.parametrize("size", [BASE64_STEP - 1, BASE64_STEP, BASE64_STEP + 1, 2 * BASE64_STEP + 2])
def test_large_data_is_the_same_base64_as_in_one_call(size):
    data = bytes(number % 251 for number in range(size))
    image = written(Role.USER, ImagePart(data=data, mime_type="image/png"))["content"][0]
    assert image["image_url"] == f"data:image/png;base64,{b64encode(data).decode()}"
