"""What the upstream has, as digests: how a caller's items are compared with it, and what that costs."""

import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.known import Known, leading
from service.domain.messages import Item, ReasoningPart, Role, TextPart, UpstreamItemPart

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


def sealed(name: str, kind: str = "compaction", role: Role = Role.ASSISTANT) -> Item:
    return Item(role, (UpstreamItemPart(kind, f'{{"type":"{kind}","id":"{name}"}}'),))


SEALED = sealed("cmp_1")
NEW = Item(Role.USER, (TextPart("new"),))
COMPACTED = known(QUESTION, THOUGHT, ANSWER, QUESTION, SEALED, THOUGHT, ANSWER)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((SEALED, THOUGHT, ANSWER, NEW), (3, 30)),
        ((SEALED, ANSWER, NEW), (2, 20)),
        ((QUESTION, THOUGHT, ANSWER, QUESTION, SEALED, THOUGHT, ANSWER, NEW), (7, 70)),
        ((QUESTION, ANSWER, QUESTION, ANSWER, NEW), (4, 40)),
        ((sealed("cmp_2"), ANSWER, NEW), None),
        ((sealed("cmp_1", role=Role.USER), ANSWER, NEW), None),
        ((SEALED, NEW), None),
        ((SEALED, ANSWER, ANSWER, NEW), (2, 20)),
        ((QUESTION, SEALED, ANSWER, NEW), None),
        ((ANSWER, NEW), None),
        ((THOUGHT, SEALED, ANSWER, NEW), None),
    ],
    ids=[
        "what it stands for is left out",
        "and a thought",
        "nothing is left out",
        "the compaction is, as what the model says may be",
        "another compaction",
        "one that the caller says",
        "what followed is left out",
        "more follows",
        "some of what it stands for is left",
        "it is left out with what it stands for",
        "it is not the first",
    ],
)
def test_a_caller_may_leave_out_what_a_compaction_stands_for(sent, expected):
    assert COMPACTED.match(sent) == expected


def test_the_latest_of_several_compactions_counts_and_an_older_name():
    later = sealed("cmp_2", "compaction_summary")
    both = known(QUESTION, SEALED, ANSWER, QUESTION, later, ANSWER)
    assert both.match((later, ANSWER, NEW)) == (2, 20)
    assert both.match((SEALED, ANSWER, QUESTION, later, ANSWER, NEW)) == (5, 50)
    assert both.match((SEALED, ANSWER, QUESTION, ANSWER, NEW)) == (4, 40)
    # One that was said twice is the later one.
    twice = known(QUESTION, SEALED, ANSWER, SEALED, QUESTION)
    assert twice.match((SEALED, QUESTION, NEW)) == (2, 20)


def test_an_upstream_item_that_is_no_compaction_stands_for_nothing():
    search = sealed("ws_1", "web_search_call")
    assert known(QUESTION, search, ANSWER).match((search, ANSWER, NEW)) is None


ITEMS = st.sampled_from(
    [
        QUESTION,
        ANSWER,
        THOUGHT,
        SEALED,
        sealed("cmp_2"),
        sealed("ws_1", "web_search_call"),
        sealed("cmp_1", role=Role.USER),
        NEW,
    ]
)


def spoken(sent: Sequence[Item]) -> list[Item]:
    """Without what a caller may leave out."""
    return [item for item in sent if not item.is_optional]


@given(st.lists(ITEMS, max_size=10), st.data())
def test_no_item_is_lost_and_none_is_sent_twice_whatever_is_left_out(held, data):
    """What the upstream has is a beginning that the caller sent, or is what a compaction stands for."""
    upstream = known(*held)
    kept = [item for item in held if data.draw(st.booleans())]
    start = data.draw(st.integers(0, len(held)))
    sent = data.draw(st.sampled_from([kept, held[start:], held])) + data.draw(st.lists(ITEMS, max_size=3))
    matched = upstream.match(sent)
    if matched is None:
        return  # everything is sent
    count, size = matched
    assert size <= 10 * len(held)
    begun = spoken(sent[:count])
    compactions = [
        index
        for index, item in enumerate(held)
        if sent and item == sent[0] and item in (SEALED, sealed("cmp_2"))
    ]
    beginnings = [spoken(held[index:]) for index in [0, *compactions]]
    assert begun in beginnings
    # A thought that was changed is sent, never taken for one that is known.
    assert all(item in held for item in sent[:count])


@given(st.lists(ITEMS, max_size=6), st.lists(ITEMS, max_size=6), st.lists(ITEMS, max_size=3))
def test_from_a_new_compaction_on_only_what_is_new_is_sent(before, after, new):
    latest = sealed("cmp_9")
    upstream = known(*before, latest, *after)
    for sent in ([latest, *after, NEW, *new], [*before, latest, *after, NEW, *new]):
        matched = upstream.match(sent)
        assert matched is not None
        assert sent[matched[0] :] == [NEW, *new]


EXTRA = Item(Role.ASSISTANT, (TextPart("b", extra_json='{"new":1}'),))
JOINED = Item(Role.ASSISTANT, (TextPart("b"), TextPart("c")))


@pytest.mark.parametrize(
    ("full", "left_out"),
    [
        ((QUESTION, THOUGHT, ANSWER), (QUESTION, ANSWER)),
        ((QUESTION, ANSWER, THOUGHT), (QUESTION, ANSWER)),
        ((QUESTION, EXTRA), (QUESTION, ANSWER)),
        ((QUESTION, ANSWER), (QUESTION, ANSWER)),
        ((QUESTION, JOINED), (QUESTION, JOINED)),
    ],
    ids=["thought", "last thought", "more keys", "nothing", "texts"],
)
def test_what_is_required_is_the_whole_of_what_was_not_left_out(full, left_out):
    assert known(*full).required() == known(*left_out).whole()
    assert (known(*full).whole() == known(*left_out).whole()) is (full == left_out)


def test_the_whole_depends_on_each_item_and_its_place():
    wholes = [
        known(*items).whole()
        for items in (
            (),
            (QUESTION,),
            (QUESTION, ANSWER),
            (ANSWER, QUESTION),
            (EXTRA, ANSWER),
            (ANSWER, EXTRA),
            (QUESTION, THOUGHT, ANSWER),
        )
    ]
    assert len({(one.count, one.digest) for one in wholes}) == len(wholes)


def test_a_prefix_is_found_at_the_beginning_and_at_the_end_of_an_item_only():
    whole = known(QUESTION, ANSWER).whole()
    assert leading((QUESTION, ANSWER, QUESTION), whole) == 2
    assert leading((QUESTION, ANSWER), whole) == 2
    assert leading((QUESTION,), whole) is None
    assert leading((ANSWER, QUESTION), whole) is None
    assert leading((QUESTION, JOINED), whole) is None
    assert leading((QUESTION, JOINED), known(QUESTION, JOINED).whole()) == 2
