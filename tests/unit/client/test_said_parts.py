import pytest

from trunkline import Message, Part, ToolCallPart, assistant, upstream_item, user
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, ReasoningPart, RefusalPart, TextPart
from trunkline.said_parts import SaidParts


def thought(*summary, item_id="rs_1", sealed="s"):
    return Part(
        reasoning=ReasoningPart(id=item_id, summary=summary, encrypted_content=sealed), item_id=item_id
    )


def search(written, item_id="p_4"):
    return Part(upstream_item=upstream_item(written).upstream_item, item_id=item_id)


def call(arguments, **more):
    return Part(tool_call=ToolCallPart(call_id="c", name="f", arguments=arguments), **more)


SAID = [
    thought("one", "two"),
    Part(text=TextPart(text="A", phase="commentary"), item_id="msg_1"),
    Part(refusal=RefusalPart(text="no"), item_id="msg_1"),
    call('{"x": 1}', item_id="fc_1", extra_json='{"namespace": "n"}'),
    Part(
        upstream_item=upstream_item('{"type":"web_search_call","id":"ws_1","q":[1]}').upstream_item,
        item_id="ws_1",
    ),
]


@pytest.fixture
def known():
    parts = SaidParts()
    parts.keep((f"p_{number}", part) for number, part in enumerate(SAID))
    return parts


def restored(known, *parts, role=ROLE_ASSISTANT):
    message = Message(role=role, parts=parts)
    known.restore([message])
    return list(message.parts)


def test_what_a_framework_kept_less_of_is_what_the_model_said(known):
    came_back = [
        thought("onetwo", item_id="p_0"),
        Part(text=TextPart(text="A"), item_id="p_1"),
        Part(refusal=RefusalPart(text="no"), item_id="p_2"),
        call('{"x": 1}', item_id="p_3"),
        Part(upstream_item=upstream_item({"type": "web_search_call", "q": [1]}).upstream_item, item_id="p_4"),
    ]
    assert restored(known, *came_back) == SAID


@pytest.mark.parametrize(
    "part",
    [
        Part(text=TextPart(text="edited"), item_id="p_1"),
        Part(text=TextPart(text="A"), item_id="another"),
        call('{"x": 2}', item_id="p_3"),
        thought("one", item_id="p_1"),
        thought("onetwo", item_id="p_0", sealed="another"),
        thought("another", item_id="p_0", sealed=""),
        thought(item_id="p_0", sealed=""),
        search('{"type":"web_search_call","id":"p_4","q":[1,2]}'),
        search('{"type":"web_search_call","id":"p_4","q":[2]}'),
        search('{"type":"web_search_call","id":"p_4","more":1}'),
        search('{"type":"web_search_call","id":"p_4","q":["{}"]}'),
    ],
    ids=[
        "words_of_text",
        "id",
        "arguments",
        "kind",
        "seal",
        "words",
        "no_words",
        "longer",
        "other",
        "more",
        "text",
    ],
)
def test_what_was_changed_stays_as_it_is(known, part):
    assert restored(known, part) == [part]


def test_a_thought_is_known_by_its_words_too(known):
    assert restored(known, thought("onetwo", item_id="p_0", sealed="")) == [SAID[0]]


def test_keys_may_be_left_out_at_any_depth(known):
    whole = (
        '{"type":"shell_call_output","id":"so_1","output":[{"text":"x","created_by":"y"}],"created_by":"y"}'
    )
    known.keep([("so_1", search(whole, "so_1"))])
    assert restored(
        known, search('{"type":"shell_call_output","id":"so_1","output":[{"text":"x"}]}', "so_1")
    ) == [search(whole, "so_1")]


def test_what_a_caller_says_stays_as_it_is(known):
    part = Part(text=TextPart(text="A"), item_id="p_1")
    assert restored(known, part, role=user("x").role) == [part]


def test_what_was_said_first_is_forgotten():
    said = Part(text=TextPart(text="A" * 100), item_id="msg")
    parts = SaidParts(max_bytes=3 * said.ByteSize())
    for number in (0, 1, 2, 0, 3):
        parts.keep([(f"p_{number}", said)])
    came_back = [Part(text=TextPart(text="A" * 100), item_id=f"p_{number}") for number in range(4)]
    assert [part.item_id for part in restored(parts, *came_back)] == ["msg", "p_1", "msg", "msg"]


def test_one_that_is_larger_than_all_is_not_remembered():
    parts = SaidParts(max_bytes=10)
    parts.keep([("p", assistant("A" * 100).parts[0])])
    came_back = Part(text=TextPart(text="A" * 100), item_id="p")
    assert restored(parts, came_back) == [came_back]


def test_a_part_without_an_id_is_not_found():
    parts = SaidParts()
    parts.keep([("", Part(text=TextPart(text="A", phase="x")))])
    came_back = Part(text=TextPart(text="A"))
    assert restored(parts, came_back) == [came_back]
