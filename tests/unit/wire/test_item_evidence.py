import msgspec
import pytest

from service.wire.bounds import Bounds
from service.wire.call_items import CallItem, UpstreamItem
from service.wire.item_evidence import agrees, content_of, is_named, names, same
from service.wire.item_json import Item, OddItem, read_item
from service.wire.output_items import Parts
from service.wire.tally import Tally
from service.wire.text_items import ReasoningItem


def read(**fields):
    return read_item(msgspec.Raw(msgspec.json.encode(fields)), Tally())


def test_an_item_has_up_to_two_names():
    assert names("k", "i", "c") == (("k", "i"), ("k", "c"))
    assert names("k", "same", "same") == names("k", "same", None) == (("k", "same"),)
    assert names("k", None, "c") == (("k", "c"),)
    assert names("k", "", None) == ()


@pytest.mark.parametrize(
    ("item", "content"),
    [
        (read(type="function_call", arguments="{}"), "{}"),
        (read(type="custom_tool_call", input="select"), "select"),
        (read(type="function_call"), ""),
        (read(type="custom_tool_call"), ""),
        (read(type="reasoning", summary=[{"text": "a"}], content=[{"text": "b"}]), "ab"),
        (read(type="message", content=[{"type": "refusal", "refusal": "no"}, {"type": "text"}]), "no"),
        (
            read(type="compaction", id="x", encrypted_content="s"),
            '{"encrypted_content":"s","type":"compaction"}',
        ),
    ],
)
def test_the_content_of_an_item(item, content):
    assert content_of(item) == content


def test_a_call_is_recognised_by_tool_and_arguments():
    known = CallItem(Parts(Bounds()), Item("function_call", call_id="c", name="look"))
    known.settle(Item("function_call", arguments="{}"), Tally())
    assert same(known, Item("function_call", name="look", arguments="{}"))
    assert not same(known, Item("function_call", name="go", arguments="{}"))
    assert agrees(known, Item("function_call", arguments="{} and more"))
    assert agrees(known, Item("function_call", name="look", arguments="{"))
    assert not agrees(known, Item("function_call", name="go", arguments="{}"))
    assert not agrees(known, Item("function_call", name="look", arguments="[]"))
    assert is_named(known, Item("function_call", call_id="c"))
    assert not is_named(known, Item("function_call"))


def test_reasoning_is_recognised_by_its_seal():
    known = ReasoningItem(Parts(Bounds()), Item("reasoning", id="r"))
    known.settle(Item("reasoning", encrypted_content="one"), Tally())
    assert same(known, Item("reasoning", encrypted_content="one"))
    assert same(known, Item("reasoning"))
    assert not same(known, Item("reasoning", encrypted_content="two"))
    assert not agrees(known, Item("reasoning", encrypted_content="two"))


def test_any_state_of_an_item_without_a_part_agrees():
    known = UpstreamItem(Parts(Bounds()), OddItem("x", json='{"type":"x"}'))
    assert agrees(known, OddItem("x", json='{"type":"x","more":1}'))
