"""What the upstream has, as digests: how a caller's items are compared with it, and what that costs."""

import tracemalloc

import pytest

from service.domain.known import Known
from service.domain.messages import Item, ReasoningPart, Role, TextPart

QUESTION = Item(Role.USER, (TextPart("a"),))
ANSWER = Item(Role.ASSISTANT, (TextPart("b"),))
THOUGHT = Item(Role.ASSISTANT, (ReasoningPart("rs_1", ("hm",)),))


def known(*items: Item) -> Known:
    return Known().followed_by(items, [10] * len(items))


def test_the_beginning_is_counted_in_items_and_bytes():
    assert known(QUESTION, ANSWER).match((QUESTION, ANSWER, QUESTION)) == (2, 20)
    assert known().match((QUESTION,)) == (0, 0)


def test_another_beginning_does_not_match():
    assert known(QUESTION, ANSWER).match((ANSWER, QUESTION)) is None
    assert known(QUESTION, ANSWER).match((QUESTION,)) is None


def test_a_thought_that_was_left_out_takes_no_bytes():
    assert known(QUESTION, THOUGHT, ANSWER).match((QUESTION, ANSWER)) == (2, 20)


def test_an_item_is_remembered_in_few_bytes():
    sent = (QUESTION,) * 4_000
    tracemalloc.start()
    held = known(*sent)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(held) == 4_000
    assert size <= 25 * 4_000


def test_each_item_has_one_size():
    with pytest.raises(ValueError, match="one size"):
        Known().followed_by((QUESTION,), [])
