"""What is read of the contract is written as it was."""

from json import dumps

from hypothesis import given
from hypothesis import strategies as st

from service.domain.messages import (
    Message,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolKind,
    UpstreamItemPart,
)
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


KINDS = st.sampled_from(["web_search_call", "mcp_approval_request", "computer_call_output", "next_year"])
words = st.text(max_size=8)
optional = st.sampled_from(["", "[]", '[{"a": 1.0}]'])
extras = st.sampled_from(["", "{}", '{"new": {"a": 1.0}}', '{"status":"completed"}'])
said = st.one_of(
    st.builds(TextPart, words, words, optional, optional, words, extras),
    st.builds(RefusalPart, words, words, extras),
    st.builds(ToolCallPart, words.filter(bool), words, words, st.sampled_from(ToolKind), words, extras),
    st.builds(ReasoningPart, words, st.tuples(words), words, st.tuples(words), extras),
    st.builds(
        lambda type_, id_: UpstreamItemPart(type_, dumps({"type": type_, "id": id_}), id_), KINDS, words
    ),
)


@given(st.lists(said, max_size=5))
def test_any_answer_can_be_sent_back(parts):
    answer = Message(Role.ASSISTANT, tuple(parts))
    found = Violations()
    echo = m.Message.FromString(message_out(answer).SerializeToString())
    read = read_messages(found, [echo], 1)
    found.check()
    assert read == (answer,)
