"""What a compaction asks of the upstream, and what its answers mean."""

import json
from typing import Any

import pytest
from openai.types.responses.response_compact_params import ResponseCompactParams

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest, Message, Options, Role, TextPart, UpstreamItemPart
from service.wire import compaction
from service.wire.answer_body import AnswerBody
from service.wire.compaction import encode_compaction, read_compacted, refusal
from service.wire.request import NO_LIMIT

SAID = Message(Role.USER, (TextPart("Hello.", item_id="msg_1"),))
SEALED = {"type": "compaction", "id": "cmp_1", "encrypted_content": "s"}
USAGE = {"input_tokens": 5, "output_tokens": 1}
ANSWER = {
    "id": "resp_1",
    "object": "response.compaction",
    "created_at": 1000,
    "output": [SEALED],
    "usage": USAGE,
}


def body(*messages: Message, size: int = 0, most: int = NO_LIMIT, **fields: Any) -> Any:
    asked = CompletionRequest("s", "m", messages or (SAID,), size=size, **fields)
    return json.loads(encode_compaction(asked, most=most))


def frame(answer: Any = ANSWER, **fields: Any) -> str:
    """The event that the transport makes of the body."""
    found = AnswerBody(10**6, {"content-type": "application/json"})
    found.feed(json.dumps(answer | fields).encode())
    (event,) = found.close()
    return event


def failure(event: str) -> TurnError:
    with pytest.raises(TurnError) as caught:
        read_compacted(event)
    return caught.value


def test_only_what_the_endpoint_takes_is_sent():
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
    assert body() == {"model": "m", "input": [item]}
    options = Options(store=True, prompt_cache_key="k", service_tier="flex")
    assert body(instructions="Be brief.", options=options) == {
        "model": "m",
        "instructions": "Be brief.",
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "input": [item | {"id": "msg_1"}],
    }


def test_the_cache_key_is_the_callers_or_the_given_one():
    asked = CompletionRequest("s", "m", (SAID,), options=Options(prompt_cache_key="own"))
    assert json.loads(encode_compaction(asked, cache_key="x"))["prompt_cache_key"] == "own"
    asked = CompletionRequest("s", "m", (SAID,))
    assert json.loads(encode_compaction(asked, cache_key="x"))["prompt_cache_key"] == "x"


def test_the_official_package_knows_every_key():
    options = Options(store=True, prompt_cache_key="k", service_tier="flex")
    asked = body(instructions="Be brief.", options=options)
    assert len(asked) == 5
    assert asked.keys() <= ResponseCompactParams.__annotations__.keys()


def test_a_large_request_is_the_same_and_bounded():
    assert body(SAID, SAID, size=LARGE_BYTES + 1) == body(SAID, SAID)
    with pytest.raises(TurnError) as caught:
        body(SAID, size=LARGE_BYTES + 1, most=20)
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_an_answer_is_messages_and_what_they_cost():
    said = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
    event = frame(output=[said, None, SEALED])
    read = read_compacted(event)
    assert read.messages == (
        Message(Role.USER, (TextPart("Hello."),)),
        Message(Role.USER, (UpstreamItemPart("compaction", json.dumps(SEALED), "cmp_1"),)),
    )
    assert (read.response_id, read.created_at, read.size) == ("resp_1", 1000.0, len(event))
    assert read.usage is not None
    assert (read.usage.total_tokens, json.loads(read.usage.details_json)) == (6, USAGE)
    assert read.ignored == {"field:item": 1}


def test_odd_fields_cost_no_answer():
    read = read_compacted(frame(id=7, created_at="1000", usage=None, output=SEALED))
    assert (read.response_id, read.created_at, read.usage) == ("7", 1000.0, None)
    assert len(read.messages) == 1
    assert read_compacted(frame(created_at=-1, id=None)).created_at == 0.0


@pytest.mark.parametrize(
    "event",
    [
        frame(output=[]),
        frame(output=[{"type": "message", "role": "user", "content": "Hello."}]),
        frame({"id": "resp_1", "object": "response", "output": []}),
        '{"type":"response.created","response":{}}',
        '{"type":"response.completed","response":{"output":[{"type":"compaction"}]}}',
        '{"type":"response.done"}',
        "[1]",
    ],
    ids=["nothing", "no compaction", "a response", "a stream", "its end", "no response", "no object"],
)
def test_what_is_no_compaction_is_refused(event):
    assert failure(event).reason is Reason.PROTOCOL_ERROR


def test_an_answer_is_bounded(monkeypatch):
    monkeypatch.setattr(compaction, "MAX_COMPACTED_BYTES", len(frame()))
    assert read_compacted(frame()).messages
    assert "of more than" in failure(frame(output=[SEALED] * 2)).message


def test_a_list_of_items_is_bounded():
    assert "4096 items" in failure(frame(output=[SEALED] * 4097)).message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}, Reason.RATE_LIMITED),
        ({"detail": "No."}, Reason.UPSTREAM_ERROR),
        (ANSWER | {"error": {"code": "context_length_exceeded"}}, Reason.CONTEXT_LENGTH_EXCEEDED),
    ],
)
def test_an_error_in_its_place_means_what_it_means_elsewhere(answer, reason):
    assert failure(frame(answer)).reason is reason


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_upstream_without_the_endpoint_says_so(status):
    found = refusal(
        TurnError(Reason.UPSTREAM_ERROR, "?", retryable=True, upstream=UpstreamDetail(status=status))
    )
    assert (found.reason, found.retryable) == (Reason.UPSTREAM_ERROR, False)
    assert f"has no compaction: it answered HTTP {status}" in found.message
    assert found.upstream == UpstreamDetail(status=status)


@pytest.mark.parametrize(
    "error",
    [
        TurnError(Reason.UPSTREAM_ERROR, "?", upstream=UpstreamDetail(status=500)),
        TurnError(Reason.INVALID_REQUEST, "no such model", upstream=UpstreamDetail(status=404)),
        TurnError(Reason.CONNECT_FAILED, "?"),
    ],
)
def test_any_other_refusal_is_itself(error):
    assert refusal(error) is error
