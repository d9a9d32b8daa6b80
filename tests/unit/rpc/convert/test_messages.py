import pytest

from service.domain.errors import TurnError
from service.domain.limits import MAX_ID, MAX_NAME, MAX_URL
from service.domain.messages import ReasoningPart, Role, TextPart, ToolCallPart, ToolKind, ToolResultPart
from service.gen.trunkline.v1 import message_pb2 as m
from service.rpc.convert.messages import read_messages
from service.rpc.convert.validate import Violations

TEXT = m.Part(text=m.TextPart(text="hi"))
CALL = m.Part(tool_call=m.ToolCallPart(call_id="c1", name="f", arguments="{}"))
RESULT = m.Part(tool_result=m.ToolResultPart(call_id="c1", parts=[TEXT]))


def user(*parts):
    return m.Message(role=m.ROLE_USER, parts=parts)


def assistant(*parts):
    return m.Message(role=m.ROLE_ASSISTANT, parts=parts)


def item(kind, json=""):
    json = json or f'{{"type":"{kind}"}}'
    return m.Part(upstream_item=m.UpstreamItemPart(type=kind, json=json))


def answer(*parts):
    result = m.ToolResultPart(call_id="c1", parts=parts)
    return m.Message(role=m.ROLE_TOOL, parts=[m.Part(tool_result=result)])


def fields(*messages, most=100):
    """Read the messages, and return the paths of the fields that were refused."""
    found = Violations()
    read_messages(found, messages, most)
    try:
        found.check()
    except TurnError as error:
        return [violation.field for violation in error.violations]
    return []


def test_a_conversation_is_read_in_order():
    found = Violations()
    read = read_messages(found, [user(TEXT), assistant(CALL)], 2)
    assert [message.role for message in read] == [Role.USER, Role.ASSISTANT]
    assert read[0].parts == (TextPart("hi"),)
    assert read[1].parts == (ToolCallPart("c1", "f", "{}"),)
    assert len(found) == 0


ITEM = item("item_reference")

REFUSED = {
    "no message": ((), "messages"),
    "no role": ((m.Message(parts=[TEXT]),), "messages[0].role"),
    "an unknown role": ((m.Message(role=99, parts=[TEXT]),), "messages[0].role"),  # type: ignore[arg-type]
    "no part": ((user(),), "messages[0].parts"),
    "an empty part": ((user(TEXT, m.Part()),), "messages[0].parts[1]"),
    "a call of a user": ((user(CALL),), "messages[0].parts[0].tool_call"),
    "an empty text": ((user(m.Part(text=m.TextPart())),), "messages[0].parts[0].text.text"),
    "a phase of a user": (
        (user(m.Part(text=m.TextPart(text="a", phase="final_answer"))),),
        "messages[0].parts[0].text.phase",
    ),
    "an image of nothing": (
        (user(m.Part(image=m.ImagePart())),),
        "messages[0].parts[0].image.source",
    ),
    "data without a type": (
        (user(m.Part(image=m.ImagePart(data=b"x"))),),
        "messages[0].parts[0].image.mime_type",
    ),
    "a file without a name": (
        (user(m.Part(file=m.FilePart(data=b"x", mime_type="a/b"))),),
        "messages[0].parts[0].file.filename",
    ),
    "a long url": (
        (user(m.Part(image=m.ImagePart(url="h" * (MAX_URL + 1)))),),
        "messages[0].parts[0].image.url",
    ),
    "a long file name": (
        (user(m.Part(file=m.FilePart(file_id="f", filename="f" * (MAX_NAME + 1)))),),
        "messages[0].parts[0].file.filename",
    ),
    "a long name": (
        (assistant(m.Part(tool_call=m.ToolCallPart(call_id="c", name="f" * (MAX_ID + 1)))),),
        "messages[0].parts[0].tool_call.name",
    ),
    "an upstream item of a developer": (
        (m.Message(role=m.ROLE_DEVELOPER, parts=[ITEM]),),
        "messages[0].parts[0].upstream_item",
    ),
    "an upstream item without a type": (
        (user(m.Part(upstream_item=m.UpstreamItemPart(json="{}"))),),
        "messages[0].parts[0].upstream_item.type",
    ),
    "an upstream item of another type": (
        (user(item("item_reference", '{"type":"computer_call_output"}')),),
        "messages[0].parts[0].upstream_item.type",
    ),
    "an upstream item whose json has no type": (
        (user(item("item_reference", '{"id":"msg_1"}')),),
        "messages[0].parts[0].upstream_item.type",
    ),
    "an upstream item of no JSON": (
        (user(item("item_reference", '{"type":"item_reference"')),),
        "messages[0].parts[0].upstream_item.json",
    ),
    "what only the model says": (
        (user(item("web_search_call")),),
        "messages[0].parts[0].upstream_item.type",
    ),
    "what only the model says, as a result": (
        (m.Message(role=m.ROLE_TOOL, parts=[item("shell_call")]),),
        "messages[0].parts[0].upstream_item.type",
    ),
    "what only the caller says": (
        (assistant(ITEM),),
        "messages[0].parts[0].upstream_item.type",
    ),
    "an upstream item within a result": (
        (assistant(CALL), answer(ITEM)),
        "messages[1].parts[0].tool_result.parts[0].upstream_item",
    ),
    "more keys of no JSON": (
        (user(m.Part(text=TEXT.text, extra_json="{")),),
        "messages[0].parts[0].extra_json",
    ),
    "more keys of no object": (
        (user(m.Part(text=TEXT.text, extra_json="[]")),),
        "messages[0].parts[0].extra_json",
    ),
    "a key that has a field": (
        (assistant(m.Part(tool_call=CALL.tool_call, extra_json='{"arguments":"{}"}')),),
        "messages[0].parts[0].extra_json",
    ),
    "citations of a user": (
        (user(m.Part(text=m.TextPart(text="a", annotations_json="[]"))),),
        "messages[0].parts[0].text.annotations_json",
    ),
    "log probabilities of no JSON": (
        (assistant(m.Part(text=m.TextPart(logprobs_json="["))),),
        "messages[0].parts[0].text.logprobs_json",
    ),
    "more keys beside an upstream item": (
        (user(m.Part(upstream_item=ITEM.upstream_item, extra_json="{}")),),
        "messages[0].parts[0].extra_json",
    ),
    "an id of an item within a result": (
        (assistant(CALL), answer(m.Part(text=TEXT.text, item_id="i"))),
        "messages[1].parts[0].tool_result.parts[0].item_id",
    ),
    "more keys within a result": (
        (assistant(CALL), answer(m.Part(text=TEXT.text, extra_json="{}"))),
        "messages[1].parts[0].tool_result.parts[0].extra_json",
    ),
    "a long id of an item": (
        (user(m.Part(text=TEXT.text, item_id="i" * (MAX_ID + 1))),),
        "messages[0].parts[0].item_id",
    ),
    "an unknown kind of call": (
        (assistant(m.Part(tool_call=m.ToolCallPart(call_id="c", kind=99))),),  # type: ignore[arg-type]
        "messages[0].parts[0].tool_call.kind",
    ),
    "an answer to no call": (
        (m.Message(role=m.ROLE_TOOL, parts=[RESULT]),),
        "messages[0].parts[0].tool_result.call_id",
    ),
}


@pytest.mark.parametrize(("messages", "field"), REFUSED.values(), ids=REFUSED.keys())
def test_a_violation_names_its_field(messages, field):
    assert fields(*messages) == [field]


def test_a_part_within_a_result_has_its_own_path():
    inner = m.Part(tool_result=m.ToolResultPart(call_id="c1", parts=[TEXT, CALL]))
    messages = assistant(CALL), m.Message(role=m.ROLE_TOOL, parts=[inner])
    assert fields(*messages) == ["messages[1].parts[0].tool_result.parts[1].tool_call"]


def test_too_many_messages_are_refused_before_any_is_read():
    assert fields(user(), user(), most=1) == ["messages"]


def test_an_assistant_may_have_said_nothing():
    assert fields(assistant()) == []
    assert fields(assistant(m.Part(text=m.TextPart()))) == []


def test_a_data_url_may_be_long():
    assert fields(user(m.Part(image=m.ImagePart(url="data:" + "x" * MAX_URL)))) == []


def test_what_an_upstream_did_not_name_may_be_missing():
    """A call without a name and reasoning without an id are echoed as they came."""
    call = m.Part(tool_call=m.ToolCallPart(call_id="c1"))
    assert fields(assistant(call, m.Part(reasoning=m.ReasoningPart()))) == []


def test_an_id_of_the_item_is_the_id_of_reasoning():
    found = Violations()
    thought = m.Part(reasoning=m.ReasoningPart(summary=["s"]), item_id="rs_1")
    assert read_messages(found, [assistant(thought)], 1)[0].parts == (ReasoningPart("rs_1", ("s",)),)


def test_a_result_is_of_the_kind_of_its_call():
    found = Violations()
    custom = m.ToolCallPart(call_id="c2", name="g", arguments="x", kind=m.TOOL_CALL_KIND_CUSTOM)
    results = [
        m.Part(tool_result=m.ToolResultPart(call_id=call_id), item_id="i", extra_json="{}")
        for call_id in ("c1", "c2")
    ]
    messages = [assistant(CALL, m.Part(tool_call=custom)), m.Message(role=m.ROLE_TOOL, parts=results)]
    read = read_messages(found, messages, 2)
    assert read[1].parts == (
        ToolResultPart("c1", (), item_id="i", extra_json="{}"),
        ToolResultPart("c2", (), kind=ToolKind.CUSTOM, item_id="i", extra_json="{}"),
    )


def test_other_items_may_be_of_the_caller_or_of_the_model():
    for kind in ("computer_call_output", "compaction", "what_comes_next_year"):
        assert fields(user(item(kind)), assistant(item(kind))) == []
        assert fields(m.Message(role=m.ROLE_TOOL, parts=[item(kind)])) == []


def test_a_status_may_be_among_more_keys():
    assert fields(assistant(m.Part(text=TEXT.text, extra_json='{"status":"completed","new":1}'))) == []
