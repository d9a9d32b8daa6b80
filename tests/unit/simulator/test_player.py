from typing import Any

import pytest

from simulator import response
from simulator.ids import Ids
from simulator.player import Player
from simulator.response import Prompt
from simulator.scripts import (
    Call,
    Complete,
    Drop,
    Emit,
    Fail,
    Gate,
    Incomplete,
    Pace,
    Reason,
    Refuse,
    Say,
    Script,
    Start,
    Wait,
)

NO_HURRY = Pace()


def play(*steps, silent=False, include=(), pace=NO_HURRY, **body) -> list[Any]:
    opened = response.opened({"model": "m", **body}, "resp_1", 1000)
    player = Player(opened, Prompt(10, 4), Ids(""), pace, include=include, now=1001)
    return list((player.play_without_output if silent else player.play)(Script(*steps)))


def kinds(acts) -> list[str]:
    return [
        act["type"].removeprefix("response.") if isinstance(act, dict) else type(act).__name__ for act in acts
    ]


FRAME = ["created", "in_progress"]
MESSAGE = ["output_item.added", "content_part.added"]
MESSAGE_END = ["output_text.done", "content_part.done", "output_item.done"]


def test_a_message():
    acts = play(Say("Hello, world.", "final_answer"))
    assert kinds(acts) == [
        *FRAME,
        *MESSAGE,
        "output_text.delta",
        "output_text.delta",
        *MESSAGE_END,
        "completed",
    ]
    assert [act["sequence_number"] for act in acts] == list(range(len(acts)))
    assert acts[2]["item"] == {
        "id": "msg_000000000001",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "phase": "final_answer",
        "content": [],
    }
    assert acts[4] == {
        "type": "response.output_text.delta",
        "item_id": "msg_000000000001",
        "output_index": 0,
        "content_index": 0,
        "delta": "Hello, ",
        "logprobs": [],
        "sequence_number": 4,
    }
    final = acts[-1]["response"]
    part = {"type": "output_text", "text": "Hello, world.", "annotations": [], "logprobs": []}
    assert final["output"] == [{**acts[2]["item"], "status": "completed", "content": [part]}]
    assert (final["status"], final["completed_at"], final["service_tier"]) == ("completed", 1001, "default")
    assert final["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 6},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 14,
    }


def test_parts_and_items_are_indexed():
    acts = play(Say("a", more=("b",)), Refuse("c"))
    places = [
        (act["output_index"], act["content_index"]) for act in acts if kinds([act])[0].endswith(".delta")
    ]
    assert places == [(0, 0), (0, 1), (1, 0)]


def test_reasoning():
    acts = play(Reason(("One.", "Two."), "All of it."), include=["reasoning.encrypted_content"])
    summary = [
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
    ]
    text = ["content_part.added", *["reasoning_text.delta"] * 3, "reasoning_text.done", "content_part.done"]
    assert kinds(acts) == [
        *FRAME,
        "output_item.added",
        *summary,
        *summary,
        *text,
        "output_item.done",
        "completed",
    ]
    (item,) = acts[-1]["response"]["output"]
    assert [part["text"] for part in item["summary"]] == ["One.", "Two."]
    assert item["content"] == [{"type": "reasoning_text", "text": "All of it."}]
    assert item["encrypted_content"]
    assert "encrypted_content" not in acts[2]["item"]
    assert acts[-1]["response"]["usage"]["output_tokens_details"]["reasoning_tokens"] == 5


def test_a_call():
    acts = play(Call("f", '{"a": 1}', call_id="call_x"))
    arguments = ["function_call_arguments.delta"] * 2 + ["function_call_arguments.done"]
    assert kinds(acts) == [*FRAME, "output_item.added", *arguments, "output_item.done", "completed"]
    assert acts[2]["item"]["arguments"] == ""
    assert (acts[5]["arguments"], acts[5]["name"]) == ('{"a": 1}', "f")
    assert acts[-1]["response"]["output"][0]["call_id"] == "call_x"


def test_an_item_left_open_is_closed_by_what_follows():
    assert kinds(play(Say("a", closed=False))) == [
        *FRAME,
        *MESSAGE,
        "output_text.delta",
        *MESSAGE_END,
        "completed",
    ]
    acts = play(Say("a", closed=False), Say("b"))
    assert [item["content"][0]["text"] for item in acts[-1]["response"]["output"]] == ["a", "b"]


def test_an_item_left_open_ends_incomplete_with_the_response():
    acts = play(Say("Look:"), Call("f", '{"a', closed=False), Incomplete("content_filter"), Say("never"))
    assert kinds(acts)[-3:] == ["function_call_arguments.done", "output_item.done", "incomplete"]
    final = acts[-1]["response"]
    assert final["incomplete_details"] == {"reason": "content_filter"}
    assert [item["status"] for item in final["output"]] == ["completed", "incomplete"]
    assert final["output"][1]["arguments"] == '{"a'


@pytest.mark.parametrize(
    ("streamed", "deltas", "done"),
    [(None, "all of it", "all of it"), (0, "", "all of it"), (3, "all", "all of it")],
)
def test_late_text(streamed, deltas, done):
    acts = play(Say("all of it", streamed=streamed))
    assert "".join(act["delta"] for act in acts if "delta" in act) == deltas
    assert [act["text"] for act in acts if act["type"] == "response.output_text.done"] == [done]


def test_the_limit_cuts_and_ends():
    acts = play(Say("x" * 60), Say("y" * 60), Say("z"), max_output_tokens=20)
    assert kinds(acts)[-1] == "incomplete"
    texts = [item["content"][0]["text"] for item in acts[-1]["response"]["output"]]
    assert texts == ["x" * 60, "y" * 20]
    assert acts[-1]["response"]["usage"]["output_tokens"] == 20


def test_the_limit_cuts_arguments_too_and_counts_reasoning():
    acts = play(Reason(("r" * 60,)), Call("f", "a" * 60), max_output_tokens=16)
    call = acts[-1]["response"]["output"][1]
    assert (call["status"], call["arguments"]) == ("incomplete", "aaaa")


def test_the_limit_never_splits_a_character():
    acts = play(Say("🙂" * 20 + "a🙂"), max_output_tokens=21)
    assert acts[-1]["response"]["output"][0]["content"][0]["text"] == "🙂" * 20 + "a"


@pytest.mark.parametrize(
    ("pace", "deltas"),
    [(Pace(), ["Hello, ", "world."]), (Pace(5), ["Hello", ", wor", "ld."]), (Pace(100), ["Hello, world."])],
)
def test_pace(pace, deltas):
    assert [act["delta"] for act in play(pace, Say("Hello, world.")) if "delta" in act] == deltas


def test_each_delta_follows_a_pause():
    assert kinds(play(Say("a b"), pace=Pace(delay_s=0.5)))[4:8] == [
        "Wait",
        "output_text.delta",
        "Wait",
        "output_text.delta",
    ]


def test_faults_and_pauses_keep_their_place():
    acts = play(Drop(), Start(), Wait(1.0), Gate("go"), Say("a"), Drop(False))
    assert acts[0] == Drop()
    assert acts[3:5] == [Wait(1.0), Gate("go")]
    assert acts[-2:] == [Drop(False), acts[-1]]


def test_no_content_follows_an_ending():
    assert kinds(play(Fail(), Say("never"), Drop())) == ["Fail", "Drop"]
    acts = play(Complete(), Start(), Emit({"type": "late"}), Wait(1.0), Incomplete(), Drop())
    assert kinds(acts) == [*FRAME, "completed", "late", "Wait", "Drop"]


@pytest.mark.parametrize(
    ("steps", "played"),
    [
        ([Fail()], ["Fail"]),
        ([Start(), Fail()], [*FRAME, "failed"]),
        ([Start(), Fail(shape="flat")], [*FRAME, "Fail"]),
        ([Fail(shape="response_failed")], ["failed"]),
    ],
)
def test_a_failure_before_the_start_differs_from_one_after(steps, played):
    assert kinds(play(*steps)) == played


def test_emitted_events_are_numbered_on_demand():
    acts = play(Emit({"type": "a"}), Start(), Emit({"type": "b"}, numbered=True))
    assert (acts[0], acts[3]) == ({"type": "a"}, {"type": "b", "sequence_number": 2})


def test_a_warm_up_has_no_content_but_keeps_its_faults():
    assert kinds(play(Say("a"), Incomplete(), silent=True)) == [*FRAME, "completed"]
    assert kinds(play(Say("a"), Drop(), silent=True)) == ["Drop", *FRAME, "completed"]
    assert play(silent=True)[-1]["response"]["output"] == []
