import pytest

import trunkline
from trunkline import messages
from trunkline.gen.trunkline.v1 import message_pb2 as pb


def test_roles_and_text():
    assert trunkline.user("hi") == pb.Message(role=pb.ROLE_USER, parts=[trunkline.text("hi")])
    assert trunkline.system("hi").role == pb.ROLE_SYSTEM
    assert trunkline.developer("hi").role == pb.ROLE_DEVELOPER
    assert trunkline.assistant("hi").role == pb.ROLE_ASSISTANT


def test_every_source_of_an_image_and_a_file():
    message = trunkline.user(
        "look",
        trunkline.image_url("https://x/y.png", detail="low"),
        trunkline.image_bytes(b"\x89", "image/png"),
        trunkline.image_id("file-1"),
        trunkline.file_url("https://x/y.pdf"),
        trunkline.file_bytes(b"%PDF", "y.pdf", "application/pdf"),
        trunkline.file_id("file-2"),
    )
    sources = [part.image.WhichOneof("source") or part.file.WhichOneof("source") for part in message.parts]
    assert sources == [None, "url", "data", "file_id", "url", "data", "file_id"]
    assert message.parts[1].image.detail == "low"
    assert message.parts[2].image.mime_type == "image/png"
    assert (message.parts[5].file.filename, message.parts[5].file.mime_type) == ("y.pdf", "application/pdf")


@pytest.mark.parametrize(
    ("output", "texts"),
    [
        (None, []),
        ("", [""]),
        ("plain", ["plain"]),
        (trunkline.text("part"), ["part"]),
        ([trunkline.text("a"), trunkline.text("b")], ["a", "b"]),
        ([], ["[]"]),
        (["a", "b"], ['["a", "b"]']),
        ({"größe": 9007199254740993}, ['{"größe": 9007199254740993}']),
        (3, ["3"]),
        (False, ["false"]),
    ],
)
def test_what_a_tool_may_return(output, texts):
    message = trunkline.tool_result("c1", output)
    result = message.parts[0].tool_result
    assert (message.role, result.call_id, result.is_error) == (pb.ROLE_TOOL, "c1", False)
    assert [part.text.text for part in result.parts] == texts


@pytest.mark.parametrize("output", [object(), float("nan")])
def test_what_json_cannot_say_is_refused(output):
    with pytest.raises((TypeError, ValueError)):
        trunkline.tool_result("c1", output)


def test_a_turn_may_be_given_text_parts_messages_or_a_mixture():
    image = trunkline.image_id("f")
    assert messages.as_messages(None) == []
    assert messages.as_messages("hi") == [trunkline.user("hi")]
    assert messages.as_messages(image) == [trunkline.user(image)]
    assert messages.as_messages(["hi", image]) == [trunkline.user("hi", image)]
    rules = trunkline.system("be brief")
    assert messages.as_messages(rules) == [rules]
    mixed: list[str | trunkline.Part | trunkline.Message] = ["a", rules, "b", image]
    assert messages.as_messages(mixed) == [trunkline.user("a"), rules, trunkline.user("b", image)]


def test_reading_an_answer():
    message = pb.Message(
        parts=[
            pb.Part(reasoning=pb.ReasoningPart(summary=["hm"])),
            trunkline.text("a"),
            pb.Part(tool_call=pb.ToolCallPart(call_id="c1", name="f", arguments="{}")),
            trunkline.text("b"),
            pb.Part(refusal=pb.RefusalPart(text="no")),
        ]
    )
    assert trunkline.text_of(message) == "ab"
    assert trunkline.refusal_of(message) == "no"
    assert [call.call_id for call in trunkline.tool_calls_of(message)] == ["c1"]
