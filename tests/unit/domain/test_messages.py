import pytest

from service.domain.limits import LARGE_BYTES
from service.domain.messages import (
    CompletionRequest,
    Item,
    Message,
    ReasoningPart,
    Role,
    TextPart,
    UpstreamItemPart,
    items_of,
)


def test_what_is_large_is_more_than_the_bound():
    assert not CompletionRequest("s", "m", (), size=LARGE_BYTES).large
    assert CompletionRequest("s", "m", (), size=LARGE_BYTES + 1).large


WORDS, MORE, SEARCH = TextPart("a", item_id="m1"), TextPart("b", item_id="m2"), UpstreamItemPart("t", "{}")


@pytest.mark.parametrize(
    ("role", "parts", "split"),
    [
        (Role.ASSISTANT, (WORDS, MORE), [(WORDS, MORE)]),
        (Role.ASSISTANT, (WORDS, SEARCH, MORE), [(WORDS,), (SEARCH,), (MORE,)]),
        (Role.ASSISTANT, (TextPart("a", "commentary"), MORE), [(TextPart("a", "commentary"),), (MORE,)]),
        (Role.USER, (WORDS, MORE), [(WORDS, MORE)]),
        (Role.USER, (WORDS, SEARCH, MORE), [(WORDS,), (SEARCH,), (MORE,)]),
        (Role.TOOL, (SEARCH, SEARCH), [(SEARCH,), (SEARCH,)]),
        (Role.ASSISTANT, (), []),
    ],
    ids=["ids", "between texts", "phases", "user", "between a user's texts", "tool", "nothing"],
)
def test_parts_that_form_one_item_stay_together(role, parts, split):
    assert [item.parts for item in items_of((Message(role, parts),))] == split


@pytest.mark.parametrize(
    ("role", "part", "optional"),
    [
        (Role.ASSISTANT, ReasoningPart("rs_1"), True),
        (Role.ASSISTANT, SEARCH, True),
        (Role.USER, SEARCH, False),
        (Role.ASSISTANT, WORDS, False),
    ],
)
def test_only_what_few_clients_keep_is_optional(role, part, optional):
    assert Item(role, (part,)).is_optional is optional


def test_reasoning_is_an_item_of_its_own_id():
    assert ReasoningPart("rs_1").item_id == "rs_1"
