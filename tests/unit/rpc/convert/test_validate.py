import pytest

from service.domain.errors import Reason, TurnError
from service.rpc.convert.validate import MAX_VIOLATIONS, SHOWN_CHARACTERS, Violations, shown


@pytest.fixture
def found():
    return Violations()


def test_without_violations_the_check_passes(found):
    found.check()
    assert len(found) == 0


def test_all_violations_come_in_one_error(found):
    found.add("a", "is wrong")
    found.required("b", "")
    with pytest.raises(TurnError) as caught:
        found.check()
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert caught.value.message == "a: is wrong (and 1 more)"
    assert [violation.field for violation in caught.value.violations] == ["a", "b"]


def test_the_search_ends_when_the_list_is_full(found):
    for _ in range(MAX_VIOLATIONS - 1):
        found.add("a", "is wrong")
    with pytest.raises(TurnError):
        found.add("a", "is wrong")


@pytest.mark.parametrize(("value", "violations"), [(None, 0), (0, 0), (2, 0), (2.1, 1), (float("nan"), 1)])
def test_a_number_must_be_within_its_limits(found, value, violations):
    found.within("a", value, 0, 2)
    assert len(found) == violations


@pytest.mark.parametrize(("value", "violations"), [("x" * 3, 0), ("x" * 4, 1)])
def test_a_text_has_at_most_its_limit(found, value, violations):
    found.at_most("a", value, 3)
    assert len(found) == violations


@pytest.mark.parametrize(
    ("value", "violations"), [("a-B_c.1:", 0), ("", 1), ("x" * 129, 1), ("a b", 1), ("é", 1), ("a\n", 1)]
)
def test_a_session_id_has_a_fixed_alphabet(found, value, violations):
    found.session_id(value)
    assert len(found) == violations


def test_a_callers_value_is_repeated_quoted_and_cut():
    assert shown("a\nb") == "'a\\nb'"
    assert shown("x" * (SHOWN_CHARACTERS + 1)) == f"'{'x' * SHOWN_CHARACTERS}…'"
