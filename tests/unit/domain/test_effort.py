"""A change of effort goes as an item where the model takes it; else as a setting, where that is right."""

import pytest

from service.domain.effort import UNSET, Efforts, carried, efforts_after
from service.domain.messages import Item, Role, TextPart, UpstreamItemPart
from service.domain.plan import ContextReason, Plan

QUESTION = Item(Role.USER, (TextPart("a"),))
OWN = Item(Role.USER, (UpstreamItemPart("configuration_update", "{}"),))


def plan(*items: Item) -> Plan:
    return Plan(items or (QUESTION,), "resp_1", ContextReason.CONTINUED)


@pytest.mark.parametrize(
    ("before", "effort", "takes", "asked", "update"),
    [
        (UNSET, "", True, None, ""),
        (Efforts("low", "low"), "low", True, None, ""),
        (Efforts("low", "low"), "high", True, "low", "high"),
        (Efforts("low", "low"), "high", False, None, ""),
        (Efforts("low", "low"), "", True, None, ""),
        (UNSET, "high", True, "", "high"),
        (Efforts("low", "high"), "high", True, "low", ""),
        (Efforts("low", "high"), "high", False, "low", ""),
        (Efforts("low", "high"), "low", True, "low", "low"),
        (Efforts("", "high"), "high", False, "", ""),
    ],
)
def test_the_effort_is_carried(before, effort, takes, asked, update):
    made = carried(plan(), before, effort, takes_updates=takes)
    assert made is not None
    assert (made.asked_effort, made.update, made.items) == (asked, update, (QUESTION,))
    after = efforts_after(made, effort)
    assert after.now == effort
    assert after.asked == (effort if asked is None else asked)


@pytest.mark.parametrize(("effort", "takes"), [("low", False), ("", True), ("", False), ("none", False)])
def test_an_update_that_would_count_on_ends_the_chain(effort, takes):
    assert carried(plan(), Efforts("low", "high"), effort, takes_updates=takes) is None


def test_no_update_is_added_to_the_caller_s_own():
    made = carried(plan(OWN, QUESTION), Efforts("low", "low"), "high", takes_updates=True)
    assert made == plan(OWN, QUESTION)
    assert carried(plan(OWN, QUESTION), Efforts("low", "high"), "low", takes_updates=True) is None


def test_a_full_request_begins_with_the_callers_effort():
    full = Plan((QUESTION,), "", ContextReason.FIRST_TURN)
    assert efforts_after(full, "high") == Efforts("high", "high")
    assert efforts_after(full, "") is UNSET
