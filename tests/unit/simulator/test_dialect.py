import copy

import pytest

from simulator.dialect import translate
from simulator.scripts import Dialect

USAGE = {"input_tokens": 3, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}}
EVENT = {
    "type": "response.completed",
    "sequence_number": 4,
    "response": {"id": "resp_1", "output": [{"id": "msg_1"}], "usage": USAGE},
}


def test_the_original_dialect_changes_nothing():
    assert translate(EVENT, Dialect()) is EVENT


@pytest.mark.parametrize(
    ("dialect", "changed"),
    [
        (Dialect(sequence=False), {name: EVENT[name] for name in ("type", "response")}),
        (Dialect(output=False), {**EVENT, "response": {"id": "resp_1", "output": [], "usage": USAGE}}),
        (Dialect(done_alias=True), {**EVENT, "type": "response.done"}),
    ],
)
def test_a_dialect_changes_a_copy(dialect, changed):
    before = copy.deepcopy(EVENT)
    assert translate(EVENT, dialect) == changed
    assert before == EVENT


def test_usage_under_the_names_of_the_chat_api():
    usage = translate(EVENT, Dialect(usage_alias=True))["response"]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (3, 2)
    assert not usage.keys() & {"input_tokens", "output_tokens"}


def test_only_the_completed_event_has_an_alias():
    event = {"type": "response.failed", "sequence_number": 1}
    assert translate(event, Dialect(done_alias=True)) == event
