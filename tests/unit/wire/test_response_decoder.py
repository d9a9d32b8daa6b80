import json
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
    ITEMS,
    added,
    anonymous,
    call,
    created,
    ended,
    fed,
    frame,
    message,
    said,
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
    assert anonymous(end.message.parts) == (TextPart("hi"),)


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
    assert anonymous(completed.message.parts) == (TextPart("hi"),)
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
def test_content_before_the_beginning_is_foreign_on_a_websocket(decoder, kind):
    assert fed(decoder, frame(kind, delta="x", output_index=0)) == []
    assert decoder.ignored == {"foreign": 1}


@pytest.mark.parametrize("kind", [*DELTAS, *DONES, *ITEMS])
def test_content_over_sse_begins_the_response(kind):
    decoder = ResponseDecoder(continuing=False, shared=False)
    assert fed(decoder, frame(kind, delta="x", output_index=0))[0] == Started("", "")
    assert fed(decoder, created(), ended())[-1].response_id == "resp_1"


# The end


def test_completed(decoder):
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    feed(decoder, created(), added(0, message()), text_delta("hi"))
    (end,) = feed(decoder, ended(usage=usage))
    answer = Message(Role.ASSISTANT, (TextPart("hi", item_id="msg_1"),))
    reported = Usage(3, 0, 0, 4, 0, 7, json.dumps(usage))
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
    assert anonymous(end.message.parts) == (TextPart("hal"),)
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
    assert decoder.usage == Usage(input_tokens=9, total_tokens=9, details_json='{"input_tokens": 9}')
    assert said(decoder) == (TextPart("hal"),)
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


# Foreign events: `ownership` has the rule


@pytest.mark.parametrize(
    "strange",
    [
        created("resp_9"),
        frame("response.output_text.delta", output_index=0, delta="x", response_id="resp_9"),
        frame("error", response_id="resp_9", error={"code": "server_error"}),
    ],
)
def test_events_of_others_are_ignored_and_counted(decoder, strange):
    feed(decoder, created(), text_delta("hi"))
    assert fed(decoder, strange) == []
    assert decoder.ignored == {"foreign": 1}
    assert anonymous(feed(decoder, ended())[-1].message.parts) == (TextPart("hi"),)


def test_another_response_between_our_events(decoder):
    other = [
        created("resp_9"), added(0, message(item_id="msg_1")), text_delta("NOT FOR YOU"),
        frame("response.output_text.done", output_index=0, text="NOT FOR YOU"),
        frame("response.web_search_call.searching", output_index=0, item_id="msg_1"),
        ended(response_id="resp_9", output=[message("NOT FOR YOU")]),
    ]  # fmt: skip
    feed(decoder, created(), added(0, message()), text_delta("a"))
    assert fed(decoder, *other) == []
    assert decoder.ignored == {"foreign": 5, "response.web_search_call.searching": 1}
    assert fed(decoder, text_delta("b"))[0] == TextDelta(0, "b")
    assert anonymous(fed(decoder, ended())[-1].message.parts) == (TextPart("ab"),)


def test_over_sse_nothing_is_foreign():
    decoder = ResponseDecoder(continuing=False, shared=False)
    fed(decoder, created(), created("resp_2"), text_delta("a"))
    delta = frame("response.output_text.delta", output_index=0, content_index=0, delta="b", response_id="r3")
    end = fed(decoder, delta, ended(response_id="resp_4"))[-1]
    assert (anonymous(end.message.parts), end.response_id) == ((TextPart("ab"),), "resp_4")
    assert not decoder.ignored


@pytest.mark.parametrize("stream_id", ["main", "", 7])
def test_a_stream_id_that_was_never_sent_means_nothing(decoder, stream_id):
    delta = frame("response.output_text.delta", output_index=0, delta="x", stream_id=stream_id)
    assert fed(decoder, created(stream_id=stream_id), delta) == [STARTED, TextDelta(0, "x")]
    assert not decoder.ignored


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
        "keepalive", "response.image_generation_call.generating", "response.steer.accepted", "acme:new",
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
        '{"type":""}',
        '{"types":"error"}',
        b'{"type":"keepalive"}',
        b"\xff",
    ],
)
def test_an_invalid_frame_ends_the_turn(decoder, nonsense):
    feed(decoder, created())
    error = fails(decoder, nonsense)
    assert error.reason is Reason.PROTOCOL_ERROR
    assert error.message.startswith("the upstream sent ")


# Odd fields

ODD = [
    *(frame(kind, delta={}, text=False, refusal=[], item_id={}, output_index="x") for kind in DELTAS + DONES),
    *(frame(kind, item=item, output_index=0) for kind in ITEMS for item in (3, None, "")),
    *(frame(kind, response=3) for kind in BEGINNINGS),
    frame("response.created", response={"id": [], "model": 3, "created_at": "today"}),
    '{"type":3}',
]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_field_costs_no_answer(decoder, odd):
    feed(decoder, created(), text_delta("hi"), odd)
    assert sum(decoder.ignored.values()) >= 1
    assert anonymous(feed(decoder, ended())[-1].message.parts) == (TextPart("hi"),)


@pytest.mark.parametrize("output", [3, "gone", [3], [None, {}]])
def test_an_odd_output_costs_no_answer(decoder, output):
    feed(decoder, created(), text_delta("hi"))
    end = feed(decoder, frame("response.completed", response={"id": "resp_1", "output": output}))[-1]
    assert anonymous(end.message.parts) == (TextPart("hi"),)
    assert sum(decoder.ignored.values()) >= 1


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
