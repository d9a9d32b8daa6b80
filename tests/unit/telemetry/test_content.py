import json

import pytest

from service.domain.events import StopReason
from service.domain.messages import (
    CompletionRequest,
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    UpstreamItemPart,
)
from service.telemetry import content
from service.telemetry.attributes import FINISH_REASONS


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (TextPart("Hi"), {"type": "text", "content": "Hi"}),
        (RefusalPart("No"), {"type": "text", "content": "No"}),
        (
            ReasoningPart("rs", ("a", "b"), "s3aled", ("c",)),
            {"type": "reasoning", "content": "a\nb\nc"},
        ),
        (
            ToolCallPart("c1", "look", '{"a":1'),
            {"type": "tool_call", "id": "c1", "name": "look", "arguments": '{"a":1'},
        ),
        (
            ToolResultPart("c1", (TextPart("42"),)),
            {"type": "tool_call_response", "id": "c1", "response": [{"type": "text", "content": "42"}]},
        ),
        (ImagePart(file_id="f1"), {"type": "file", "modality": "image", "file_id": "f1"}),
        (FilePart(url="https://x/y"), {"type": "uri", "modality": "file", "uri": "https://x/y"}),
        (
            ImagePart(data=b"123", mime_type="image/png"),
            {"type": "blob", "modality": "image", "mime_type": "image/png", "size": 3},
        ),
        (
            ImagePart(url="data:image/png;base64,AAAA"),
            {"type": "blob", "modality": "image", "mime_type": "", "size": 26},
        ),
        (
            UpstreamItemPart("web_search_call", '{"query":"q"}'),
            {"type": "web_search_call", "content": '{"query":"q"}'},
        ),
        (
            UpstreamItemPart("image_generation_call", "x" * 5000),
            {"type": "image_generation_call", "size": 5000},
        ),
    ],
)
def test_a_part(part, shown):
    reported = content.input_attributes(CompletionRequest("s", "m", (Message(Role.USER, (part,)),)))
    assert json.loads(reported["gen_ai.input.messages"]) == [{"role": "user", "parts": [shown]}]
    assert list(reported) == ["gen_ai.input.messages"]


def test_a_request_with_everything():
    reported = content.input_attributes(
        CompletionRequest("s", "m", (), instructions="Be kind.", tools=(Tool("look", "Looks."),))
    )
    assert json.loads(reported["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be kind."}]
    assert json.loads(reported["gen_ai.tool.definitions"]) == [
        {"type": "function", "name": "look", "description": "Looks."}
    ]


def test_a_definition_shows_no_credentials():
    definition = '{"type":"mcp","server_label":"a","headers":{"authorization":"secret"}}'
    custom = '{"type":"custom","name":"run"}'
    tools = (Tool(definition_json=definition, type="mcp"), Tool("run", definition_json=custom, type="custom"))
    reported = content.input_attributes(CompletionRequest("s", "m", (), tools=tools))
    assert json.loads(reported["gen_ai.tool.definitions"]) == [
        {"type": "mcp", "name": ""},
        {"type": "custom", "name": "run"},
    ]


def test_an_answer():
    reported = content.output_attributes(Message(Role.ASSISTANT, (TextPart("Hö"),)), StopReason.LENGTH)
    assert reported == {
        "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"Hö"}],'
        '"finish_reason":"length"}]'
    }


def test_every_stop_reason_has_a_finish_reason():
    assert set(FINISH_REASONS) == set(StopReason)
