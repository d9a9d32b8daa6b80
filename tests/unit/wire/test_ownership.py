import pytest

from service.wire.lifecycle import MAX_ID_CHARACTERS
from service.wire.ownership import MAX_OTHERS, Ownership


@pytest.fixture
def ours():
    ours = Ownership(shared=True)
    assert ours.begins("ours", created=True)
    return ours


def test_over_sse_everything_is_ours():
    ours = Ownership(shared=False)
    assert not ours.wary
    assert ours.has(None)
    assert ours.begins("a", created=True)
    assert ours.begins("b", created=True)
    assert ours.has("c")
    assert ours.fails("d")
    assert ours.ends("e")


def test_what_comes_before_the_beginning_is_foreign_up_to_its_end():
    ours = Ownership(shared=True)
    assert not ours.has(None)
    assert not ours.has("other")
    assert not ours.ends("other")
    assert ours.begins("ours", created=True)
    assert ours.has(None)
    assert ours.ends("ours")


def test_an_end_without_anything_before_it_is_ours():
    assert Ownership(shared=True).ends("ours")


def test_another_response_is_foreign_from_its_beginning_to_its_end(ours):
    assert not ours.begins("other", created=True)
    assert ours.wary
    assert not ours.has(None)
    assert not ours.has("other")
    assert ours.has("ours")
    assert not ours.begins("other", created=False)
    assert not ours.ends("other")
    assert ours.has(None)
    assert ours.ends("ours")


def test_ours_may_end_before_the_other(ours):
    ours.begins("other", created=True)
    assert ours.ends("ours")


def test_an_unknown_end_is_that_of_the_other_while_one_runs(ours):
    ours.begins("other", created=True)
    assert not ours.ends("renamed")
    assert ours.ends("renamed again")


def test_others_may_overlap(ours):
    ours.begins("a", created=True)
    ours.begins("b", created=True)
    assert not ours.ends("a")
    assert not ours.has(None)
    assert not ours.ends("b")
    assert ours.has(None)


def test_an_id_that_changes_is_still_ours(ours):
    assert ours.begins("renamed", created=False)
    assert not ours.wary
    assert ours.ends("renamed")


def test_an_event_that_names_another_response_is_foreign(ours):
    assert not ours.has("other")
    assert not ours.fails("other")
    assert ours.has("ours")
    assert ours.fails("ours")
    assert ours.fails(None)


def test_a_repeated_beginning_is_ours(ours):
    assert ours.begins("ours", created=True)
    assert ours.begins("", created=True)
    assert not ours.wary


def test_a_response_may_have_no_id():
    ours = Ownership(shared=True)
    assert ours.begins("", created=True)
    assert ours.has("anything")
    assert ours.begins("late", created=True)
    assert not ours.begins("other", created=True)


def test_an_id_is_compared_as_far_as_it_is_kept():
    ours = Ownership(shared=True)
    long = "r" * 1000
    ours.begins(long[:MAX_ID_CHARACTERS], created=True)
    assert ours.has(long)


def test_the_others_are_bounded(ours):
    for number in range(MAX_OTHERS + 5):
        ours.begins(f"other_{number}", created=True)
    for number in range(MAX_OTHERS):
        assert not ours.ends(f"other_{number}")
    assert ours.has(None)
