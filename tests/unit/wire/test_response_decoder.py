from contextlib import suppress

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Started, StopReason, TextDelta, Usage
from service.domain.messages import Message, Role, TextPart
from service.wire.lifecycle import INCOMPLETE, MAX_ID_CHARACTERS, MAX_MODEL_CHARACTERS
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import (
    BEGINNINGS,
    DELTAS,
    DONES,
    ENDS,
    ITEMS,
    added,
    call,
    created,
    ended,
    fed,
    frame,
    message,
    text_delta,
)

STARTED = Started("resp_1", "gpt-6", 1700000000.0)


@pytest.fixture
def decoder():
    return ResponseDecoder(continuing=False)


def feed(decoder, *frames):
    return fed(decoder, *frames)


def fails(decoder, last):
    with pytest.raises(TurnError) as caught:
        fed(decoder, last)
    return caught.value


# The beginning


def test_it_starts_once(decoder):
    assert repr(decoder) == "ResponseDecoder(no id, waiting)"
    queued = frame("response.queued", response={"id": "resp_1", "model": "gpt-6", "created_at": 1700000000})
    assert feed(decoder, queued, created(), frame("response.in_progress", response={"id": "resp_1"})) == [
        STARTED
    ]
    assert decoder.response_id == "resp_1"
    assert repr(decoder) == "ResponseDecoder(resp_1, running)"


def test_an_end_without_a_beginning_starts_the_response(decoder):
    started, delta, end = feed(decoder, ended(output=[message("hi")]))
    assert started == Started("resp_1", "gpt-6-2026")
    assert delta == TextDelta(0, "hi")
    assert end.message.parts == (TextPart("hi"),)


def test_a_cut_response_id_cannot_be_continued(decoder):
    long = {"id": "r" * 5_000_000, "model": "m" * 5_000_000}
    (started,) = feed(decoder, frame("response.created", response=long))
    feed(
        decoder,
        added(0, message("")),
        frame(
            "response.output_text.delta", item_id="msg_1", output_index=0, delta="hi", response_id=long["id"]
        ),
    )
    (*_, completed) = feed(decoder, frame("response.completed", response=long))
    assert completed.message.parts == (TextPart("hi"),)
    assert (len(started.response_id), len(started.model)) == (MAX_ID_CHARACTERS, MAX_MODEL_CHARACTERS)
    assert (len(completed.response_id), len(completed.model)) == (MAX_ID_CHARACTERS, MAX_MODEL_CHARACTERS)
    assert not completed.continuable


def test_an_empty_response_object_is_accepted(decoder):
    assert fed(decoder, frame("response.created")) == [Started("", "")]
    assert fed(decoder, frame("response.completed", response=None))[0].response_id == ""


@pytest.mark.parametrize("created_at", [-1, 1700000000000, None])
def test_an_invalid_creation_time_is_not_reported(decoder, created_at):
    assert fed(decoder, created(created_at=created_at))[0].created_at == 0


@pytest.mark.parametrize("kind", [*DELTAS, *DONES, *ITEMS])
def test_content_before_the_beginning_is_a_protocol_error(decoder, kind):
    error = fails(decoder, frame(kind, delta="x", output_index=0))
    assert error.reason is Reason.PROTOCOL_ERROR
    assert kind in error.message
    assert not decoder.finished


# The end


def test_completed(decoder):
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    feed(decoder, created(), added(0, message()), text_delta("hi"))
    (end,) = feed(decoder, ended(usage=usage))
    answer = Message(Role.ASSISTANT, (TextPart("hi"),))
    reported = Usage(3, 0, 0, 4, 0, 7)
    assert end == Completed(
        "resp_1", "gpt-6-2026", 1700000000.0, answer, StopReason.STOP, reported, continuable=True
    )
    assert decoder.finished
    assert decoder.usage == reported
    assert repr(decoder) == "ResponseDecoder(resp_1, finished)"


def test_a_call_waits_for_its_result(decoder):
    assert feed(decoder, created(), ended(output=[call("{}")]))[-1].stop_reason is StopReason.TOOL_USE


@pytest.mark.parametrize(
    ("reason", "stop_reason"), [*INCOMPLETE.items(), ("new", StopReason.LENGTH), (None, StopReason.LENGTH)]
)
@pytest.mark.parametrize("kind", ["response.incomplete", "response.done"])
def test_original_fault_response_incomplete_hangs(decoder, kind, reason, stop_reason):
    end = feed(
        decoder,
        created(),
        text_delta("hal"),
        ended(kind, status="incomplete", incomplete_details={"reason": reason}),
    )[-1]
    assert end.stop_reason is stop_reason
    assert end.message.parts == (TextPart("hal"),)
    assert not end.continuable
    assert decoder.finished


def test_incomplete_without_details(decoder):
    assert (
        feed(decoder, ended("response.incomplete", incomplete_details=None))[-1].stop_reason
        is StopReason.LENGTH
    )


@pytest.mark.parametrize("fields", [{"status": "completed"}, {"status": None}, {"status": ""}, {}])
def test_response_done_is_completed(decoder, fields):
    assert feed(decoder, created(), ended("response.done", **fields))[-1].continuable


@pytest.mark.parametrize(
    ("kind", "status"),
    [("response.failed", "failed"), ("response.done", "failed"), ("response.done", "cancelled")],
)
def test_failed(decoder, kind, status):
    feed(decoder, created(), text_delta("hal"))
    error = fails(
        decoder,
        ended(
            kind, status=status, error={"code": "server_error", "message": "oops"}, usage={"input_tokens": 9}
        ),
    )
    assert error.reason is Reason.UPSTREAM_ERROR
    assert error.message == "the upstream reported an error (server_error): oops"
    assert error.upstream.request_id == "resp_1"
    assert decoder.usage == Usage(input_tokens=9, total_tokens=9)
    assert decoder.partial() == Message(Role.ASSISTANT, (TextPart("hal"),))
    assert decoder.finished


def test_frames_after_the_end_are_only_counted(decoder):
    feed(decoder, created(), ended())
    assert feed(decoder, text_delta("x"), "nonsense", b"\xff", ended()) == []
    assert decoder.ignored == {"behind_the_end": 4}


def test_a_lost_chain_needs_a_continuing_request():
    lost = frame("error", status=400, error={"code": "previous_response_not_found", "message": "no"})
    assert fails(ResponseDecoder(continuing=True), lost).reason is Reason.CHAIN_LOST
    assert fails(ResponseDecoder(continuing=False), lost).reason is Reason.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "last",
    [
        frame("error", error={"code": "server_error", "message": "oops"}),
        frame("error", code="server_error", message="oops"),
        frame("response.error", error={"code": "server_error", "message": "oops"}),
        '{"error":{"code":"server_error","message":"oops"}}',
    ],
)
def test_an_error_ends_the_turn(decoder, last):
    feed(decoder, created())
    assert fails(decoder, last).upstream.code == "server_error"
    assert decoder.finished


# Foreign events


@pytest.mark.parametrize(
    "strange",
    [
        created("resp_9"), ended(response_id="resp_9"), ended("response.failed", "resp_9"),
        frame("response.output_text.delta", output_index=0, delta="x", stream_id="main"),
        frame("response.output_text.delta", output_index=0, delta="x", response_id="resp_9"),
        frame("error", stream_id="main", error={"code": "server_error"}),
        frame("error", response_id="resp_9", error={"code": "server_error"}),
    ],
)  # fmt: skip
def test_events_of_others_are_ignored_and_counted(decoder, strange):
    feed(decoder, created())
    assert fed(decoder, strange) == []
    assert decoder.ignored == {"foreign": 1}
    assert feed(decoder, text_delta("hi"), ended())[-1].message.parts == (TextPart("hi"),)


def test_our_own_id_is_not_foreign(decoder):
    mine = frame("response.output_text.delta", output_index=0, delta="x", response_id="resp_1")
    assert feed(decoder, created(), mine)[-1] == TextDelta(0, "x")


def test_an_expiring_connection_does_not_fail_the_response(decoder):
    feed(decoder, created())
    assert fed(decoder, frame("error", error={"code": "connection_expiring", "message": "soon"})) == []
    assert decoder.ignored == {"connection_expiring": 1}
    assert not decoder.finished


@pytest.mark.parametrize(
    "kind",
    [
        "response.content_part.added", "response.output_text.annotation.added", "codex.rate_limits",
        "keepalive", "response.custom_tool_call_input.delta", "response.steer.accepted", "acme:new",
    ],
)  # fmt: skip
def test_unknown_events_are_ignored_and_counted(decoder, kind):
    assert feed(decoder, frame(kind, delta={"any": "shape"}, item=3)) == []
    assert decoder.ignored == {kind: 1}


def test_gaps_are_counted_and_numbers_never_needed(decoder):
    numbers = [None, 0, 1, 3, 4, -1, 9]
    for number in numbers:
        fields = {} if number is None else {"sequence_number": number}
        fed(decoder, frame("response.created", response={"id": "resp_1"}, **fields))
    assert decoder.ignored == {"gap": 2}


# Invalid frames


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "{",
        "[]",
        "3",
        "{}",
        '{"type":3}',
        '{"type":""}',
        '{"types":"error"}',
        b'{"type":"keepalive"}',
        b"\xff",
    ]
    + [frame(kind, response=3) for kind in sorted({*BEGINNINGS, *ENDS})]
    + [frame(kind, delta=3, text=3, refusal=3, arguments=3, output_index="x") for kind in (*DELTAS, *DONES)]
    + [frame(kind, item=3, output_index=0) for kind in ITEMS]
    + [
        frame("response.completed", response={"output": [3]}),
        frame("response.completed", response={"output": 3}),
    ],
)
def test_an_invalid_frame_ends_the_turn(decoder, nonsense):
    feed(decoder, created())
    error = fails(decoder, nonsense)
    assert error.reason is Reason.PROTOCOL_ERROR
    assert error.message.startswith("the upstream sent ")


# When the connection can be reused


@pytest.mark.parametrize(
    ("begun", "end", "orderly"),
    [
        (True, "response.completed", True),
        (True, "response.incomplete", True),
        (True, "response.failed", True),
        (False, "error", True),
        (True, "error", False),
    ],
    ids=["completed", "incomplete", "failed", "refused before it began", "error inside"],
)
def test_an_orderly_end_is_one_that_nothing_can_follow(decoder, begun, end, orderly):
    if begun:
        feed(decoder, created())
    with suppress(TurnError):
        fed(decoder, frame(end, response={"id": "resp_1"}, code="rate_limit_exceeded"))
    assert decoder.finished
    assert decoder.orderly is orderly
