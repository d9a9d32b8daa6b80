from simulator.items import ItemBuilder, encrypted


def test_an_event_does_not_change_when_the_item_grows():
    builder = ItemBuilder({"id": "msg_1", "type": "message", "status": "in_progress"}, 0)
    added = builder.added()
    list(builder.part("output_text", "Hi.", ["Hi."]))
    *_, done = builder.end("completed")
    assert added["item"]["content"] == []
    assert (done["item"]["status"], done["item"]["content"][0]["text"]) == ("completed", "Hi.")


def test_parts_are_indexed_and_closed_in_order():
    builder = ItemBuilder({"id": "msg_1", "type": "message", "status": "in_progress"}, 2)
    first = list(builder.part("output_text", "a", ["a"])) + list(builder.part_end())
    second = list(builder.part("refusal", "b", ["b"]))
    assert [event["content_index"] for event in first] == [0, 0, 0, 0]
    assert {(event["output_index"], event["content_index"]) for event in second} == {(2, 1)}
    assert [event["type"] for event in builder.end("completed")] == [
        "response.refusal.done",
        "response.content_part.done",
        "response.output_item.done",
    ]


def test_a_reasoning_item_has_no_status():
    builder = ItemBuilder({"id": "rs_1", "type": "reasoning"}, 0)
    list(builder.summary("Thinking.", ["Thinking."]))
    (done,) = builder.end("completed")
    assert "status" not in done["item"]
    assert done["item"]["summary"] == [{"type": "summary_text", "text": "Thinking."}]


def test_encrypted_content_depends_on_the_item_alone():
    assert encrypted({"id": "rs_1"}) == encrypted({"id": "rs_1"}) != encrypted({"id": "rs_2"})
