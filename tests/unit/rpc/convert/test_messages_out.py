"""What is read of the contract is written as it was."""

from service.gen.trunkline.v1 import message_pb2 as m
from service.rpc.convert.messages import read_messages
from service.rpc.convert.messages_out import message_out
from service.rpc.convert.validate import Violations
from tests.unit.rpc.convert.test_messages import CALL, RESULT, TEXT, assistant, user

EVERY_PART = [
    user(
        TEXT,
        m.Part(image=m.ImagePart(url="https://a", detail="low")),
        m.Part(image=m.ImagePart(data=b"x", mime_type="image/png")),
        m.Part(file=m.FilePart(file_id="f1", filename="a.pdf")),
    ),
    assistant(
        m.Part(
            reasoning=m.ReasoningPart(id="r1", summary=["s"], encrypted_content="e", content=["c"]),
            item_id="r1",
            extra_json='{"new":1}',
        ),
        m.Part(text=m.TextPart(text="a", phase="commentary")),
        m.Part(
            text=m.TextPart(text="b", annotations_json='[{"type":"url_citation"}]', logprobs_json="[]"),
            item_id="m1",
            extra_json='{"new":1}',
        ),
        m.Part(refusal=m.RefusalPart(text="no")),
        m.Part(
            upstream_item=m.UpstreamItemPart(type="web_search_call", json='{"type":"web_search_call"}'),
            item_id="ws1",
        ),
        CALL,
        m.Part(tool_call=m.ToolCallPart(call_id="c2", name="f", arguments="x", kind=m.TOOL_CALL_KIND_CUSTOM)),
    ),
    m.Message(role=m.ROLE_TOOL, parts=[RESULT]),
]


def test_every_part_survives_the_way_in_and_out():
    found = Violations()
    read = read_messages(found, EVERY_PART, 10)
    found.check()
    assert [message_out(message) for message in read] == EVERY_PART
