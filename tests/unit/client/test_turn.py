from typing import Any

import grpc
import pytest

import trunkline
from tests.unit.client.failing import error_info, rpc_error
from trunkline import Done, Retry, TrunklineError
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1.message_pb2 import Message, Part, ReasoningPart, RefusalPart, TextPart
from trunkline.retry import Attempts
from trunkline.turn import Turn


class Books:
    def __init__(self):
        self.settled: list[Done | None] = []
        attempts = Attempts(Retry(jitter=lambda: 1.0))
        attempts.begin()
        self.turn: Turn[Any] = Turn(pb.StreamCompletionRequest(session_id="s"), attempts, self.settled.append)

    def hear(self, **event):
        return self.turn._receive(pb.StreamCompletionResponse(**event))


@pytest.fixture
def books():
    return Books()


DRAINING = rpc_error(grpc.StatusCode.UNAVAILABLE, "", error_info("SHUTTING_DOWN", sent="false"))


def test_a_good_turn(books):
    assert repr(books.turn) == "<Turn of s: waiting>"
    with pytest.raises(RuntimeError):
        _ = books.turn.done
    start = books.hear(start=pb.Start(turn_id="t"))
    assert (books.turn.start, repr(books.turn)) == (start, "<Turn of s: running>")
    books.hear(text_delta=pb.TextDelta(delta="he"))
    books.hear(text_delta=pb.TextDelta(delta="llo"))
    assert books.turn.text == "hello"
    done = books.hear(done=pb.Done(message=trunkline.assistant("hello!")))
    assert (books.turn.done, books.turn.text, books.turn.ended) == (done, "hello!", True)
    books.turn._finish()
    assert books.settled == [done]
    assert repr(books.turn) == "<Turn of s: done>"


def test_an_ok_without_done_is_a_failure(books):
    books.hear(text_delta=pb.TextDelta(delta="hal"))
    with pytest.raises(TrunklineError) as caught:
        books.turn._finish()
    assert (caught.value.reason, caught.value.partial) == ("PROTOCOL_ERROR", trunkline.assistant("hal"))
    assert books.settled == [None]


def test_an_ok_after_an_error_is_still_that_error(books):
    assert books.hear(error=pb.Error(reason="UPSTREAM_ERROR", message="x")) is None
    with pytest.raises(TrunklineError, match="UPSTREAM_ERROR: x"):
        books.turn._finish()


def test_nothing_heard_and_nothing_sent_is_tried_again(books):
    assert books.turn._fail(DRAINING) == pytest.approx(0.1)
    assert (books.turn.ended, books.settled) == (False, [])


def test_whatever_was_heard_it_is_not_tried_again(books):
    books.hear()
    with pytest.raises(TrunklineError, match="SHUTTING_DOWN"):
        books.turn._fail(DRAINING)
    assert books.settled == [None]


def test_the_partial_is_gathered_by_index(books):
    books.hear(text_delta=pb.TextDelta(content_index=2, delta="answer"))
    books.hear(reasoning_delta=pb.ReasoningDelta(content_index=0, delta="hm"))
    books.hear(tool_call_delta=pb.ToolCallDelta(content_index=3, call_id="c", name="f", arguments_delta="{"))
    books.hear(refusal_delta=pb.RefusalDelta(content_index=1, delta="no"))
    with pytest.raises(TrunklineError) as caught:
        books.turn._fail(rpc_error(grpc.StatusCode.UNAVAILABLE))
    assert caught.value.partial == Message(
        role=trunkline.assistant().role,
        parts=[
            Part(reasoning=ReasoningPart(summary=["hm"])),
            Part(refusal=RefusalPart(text="no")),
            Part(text=TextPart(text="answer")),
        ],
    )
    assert caught.value.__cause__ is not None


def test_a_turn_that_nobody_refers_to_is_settled(books):
    settled = books.settled
    del books.turn
    assert settled == [None]


def test_a_turn_is_resumed_by_its_key():
    with pytest.raises(ValueError, match="turn_key"):
        Turn(pb.StreamCompletionRequest(session_id="s"), Attempts(Retry()), stop=print)
