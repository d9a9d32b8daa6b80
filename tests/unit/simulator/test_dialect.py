import copy
from typing import Any

import pytest

from simulator import response
from simulator.dialect import Translator
from simulator.ids import Ids
from simulator.player import Player
from simulator.response import Prompt
from simulator.scripts import Call, Dialect, Emit, Pace, Reason, Say, Script
from simulator.scripts.dialects import DIALECTS

USAGE = {"input_tokens": 3, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}}
EVENT = {
    "type": "response.completed",
    "sequence_number": 4,
    "response": {"id": "resp_1", "output": [{"id": "msg_1"}], "usage": USAGE},
}


def translate(event, dialect) -> dict[str, Any]:
    (translated,) = Translator(dialect).translate(event)
    return translated


def played(dialect, *steps) -> list[dict[str, Any]]:
    opened = response.opened({"model": "m"}, "resp_1", 1000)
    player = Player(opened, Prompt(1, 0), Ids(""), Pace(), include=["reasoning.encrypted_content"], now=1)
    translator = Translator(dialect)
    events = (action for action in player.play(Script(*steps)) if isinstance(action, dict))
    return [sent for event in events for sent in translator.translate(event)]


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


ANSWER = (Reason(("Hm.",)), Say("Hi."), Call("f", "{}"), Call("f", "[]"))


def test_everything_ends_at_the_very_end():
    events = played(DIALECTS["llama_cpp"], *ANSWER)
    kinds = [event["type"] for event in events]
    assert kinds.index("response.reasoning_summary_text.done") > kinds.index(
        "response.function_call_arguments.delta"
    )
    assert kinds[-3:] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert not any(name.endswith("_index") or name == "sequence_number" for event in events for name in event)


def test_held_events_are_numbered_as_they_are_sent():
    events = played(Dialect(ends_last=True), *ANSWER)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_calls_are_named_by_their_call_id():
    events = played(DIALECTS["llama_cpp"], *ANSWER)
    items = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    calls = [item["call_id"] for item in items if item["type"] == "function_call" and "id" not in item]
    deltas = [
        event["item_id"] for event in events if event["type"] == "response.function_call_arguments.delta"
    ]
    assert len(set(calls)) == 2
    assert deltas == calls


def ids_of(value) -> list[str]:
    if isinstance(value, list):
        return [found for element in value for found in ids_of(element)]
    if not isinstance(value, dict):
        return []
    own = [value[name] for name in ("id", "item_id") if name in value]
    return own + [found for element in value.values() for found in ids_of(element)]


def test_no_id_occurs_twice_where_ids_rotate():
    events = played(DIALECTS["copilot"], *ANSWER)
    found = ids_of(events)
    assert len(found) == len(set(found)) > len(events)
    assert [event.get("output_index") for event in events if "item" in event] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_last_event_can_rename_or_shorten_its_items():
    renamed = played(DIALECTS["vllm"], *ANSWER)
    assert all(item["id"].endswith("_final") for item in renamed[-1]["response"]["output"])
    assert not any(event["item"]["id"].endswith("_final") for event in renamed if "item" in event)
    stale = played(DIALECTS["stale"], *ANSWER)[-1]["response"]["output"]
    assert [(item["arguments"], item["status"]) for item in stale[2:]] == [("", "in_progress")] * 2


@pytest.mark.parametrize(
    ("name", "between"),
    [("whole_items", ["response.output_item.done"] * 4), ("end_alone", [])],
)
def test_what_stands_between_the_beginning_and_the_end(name, between):
    events = played(DIALECTS[name], *ANSWER)
    frame = ["response.created", "response.in_progress"]
    assert [event["type"] for event in events] == [*frame, *between, "response.completed"]
    assert len(events[-1]["response"]["output"]) == 4


def test_fields_of_other_types():
    events = played(DIALECTS["odd"], Call("f", '{"a": 1}'), Call("f", "no JSON"))
    assert [event["sequence_number"] for event in events[:2]] == ["0", "1"]
    ended = events[-1]["response"]
    assert [item["arguments"] for item in ended["output"]] == [{"a": 1}, "no JSON"]
    assert (ended["created_at"], ended["usage"]["output_tokens"]) == ("1000", -9)


def test_thoughts_without_a_seal():
    sealed, unsealed = (
        played(DIALECTS[name], *ANSWER)[-1]["response"]["output"][0] for name in ("original", "deepseek")
    )
    assert sealed.keys() - unsealed.keys() == {"encrypted_content"}


@pytest.mark.parametrize("name", DIALECTS)
def test_stray_events_pass_through_every_dialect(name):
    stray = {"type": "response.output_item.added", "output_index": 0, "item": None}
    sent = played(DIALECTS[name], Emit(stray), Say("Hi."))
    assert (sent[0].get("item", "left out") is None) == (DIALECTS[name].between == "everything")
