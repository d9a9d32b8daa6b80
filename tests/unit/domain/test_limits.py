import json

from service.domain.limits import MAX_ID, TABLE, json_nodes
from service.wire.bounds import MAX_NAME_BYTES


def test_every_value_and_key_of_json_is_counted():
    value = {"a": [1, 2, {"b": None}], "c": {}}
    # 4 values in lists and objects below the top, 3 keys: never fewer nodes than those.
    assert json_nodes(json.dumps(value)) >= 8


def test_text_without_structure_has_no_nodes():
    assert json_nodes("") == json_nodes('"abc"') == 0


def test_brackets_within_strings_count_too():
    assert json_nodes('"{}[],:"') == 6


def test_every_bound_of_the_table_is_positive_and_named_once():
    assert all(bound > 0 for _, bound, _ in TABLE)
    assert len({(field, unit) for field, _, unit in TABLE}) == len(TABLE)


def test_ids_and_names_of_an_answer_can_be_sent_back():
    assert MAX_ID >= MAX_NAME_BYTES
