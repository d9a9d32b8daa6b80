import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import Reason, TurnError
from service.domain.events import Event
from service.wire.answer_body import AnswerBody
from service.wire.response_decoder import ResponseDecoder

STREAM = {"Content-Type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
MESSAGE = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello."}]}
WHOLE = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [MESSAGE]}


def events(body, headers=JSON, pieces=1, limit=2**20):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    decoder = AnswerBody(limit, headers)
    size = max(1, len(data) // pieces)
    found = [event for at in range(0, len(data), size) for event in decoder.feed(data[at : at + size])]
    return found + decoder.close()


def decoded(body, headers=JSON):
    """The domain events of the body, or how it failed."""
    made: list[Event] = []
    decoder = ResponseDecoder(continuing=False)
    try:
        decoder.feed(events(body, headers), made)
    except TurnError as error:
        return made, error
    return made, None


def test_an_event_stream_is_decoded_as_one():
    body = b'\r\n: hello\r\ndata: {"a":1}\r\n\r\ndata: {"b":2}'
    for pieces in (1, 3, len(body)):
        assert events(body, STREAM, pieces) == ['{"a":1}', '{"b":2}']
    assert events(b"", STREAM) == events(b" \n", STREAM) == []


@pytest.mark.parametrize("headers", [JSON, STREAM, {}, {"content-type": "text/plain"}])
@pytest.mark.parametrize("blank", [b"", b" \n\n"])
def test_a_whole_response_is_one_event(headers, blank):
    """Whatever the content type says; some servers send blanks while the model works."""
    for pieces in (1, 7):
        (event,) = events(blank + json.dumps(WHOLE).encode(), headers, pieces)
        assert json.loads(event) == {"type": "response.done", "response": WHOLE}


@pytest.mark.parametrize("left_out", ["object", "status", "id", "model"])
def test_a_whole_response_is_an_answer(left_out):
    body = {key: value for key, value in WHOLE.items() if key != left_out}
    made, error = decoded(body)
    assert error is None
    assert [type(event).__name__ for event in made] == ["Started", "TextDelta", "Completed"]
    assert made[-1].message.parts[0].text == "Hello."


def test_an_incomplete_response_ends_so():
    made, error = decoded(
        WHOLE | {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    )
    assert (error, made[-1].stop_reason.name) == (None, "CONTENT_FILTER")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": {"message": "Slow down", "code": 429}}, Reason.RATE_LIMITED),
        ({"error": {"message": "No.", "code": "context_length_exceeded"}}, Reason.CONTEXT_LENGTH_EXCEEDED),
        ({"error": {"message": "Bad.", "type": "invalid_request_error"}}, Reason.INVALID_REQUEST),
        ({"error": "just words"}, Reason.UPSTREAM_ERROR),
        ({"detail": "just words"}, Reason.UPSTREAM_ERROR),
        ({"message": "Unauthorized", "status": 401}, Reason.UPSTREAM_AUTH),
        (WHOLE | {"status": "failed", "error": {"code": "rate_limit_exceeded"}}, Reason.RATE_LIMITED),
        (WHOLE | {"status": None, "output": [], "error": {"code": "server_error"}}, Reason.UPSTREAM_ERROR),
        (WHOLE | {"status": "in_progress", "output": []}, Reason.UPSTREAM_ERROR),
    ],
)
@pytest.mark.parametrize("headers", [JSON, STREAM])
def test_an_error_is_classified(body, reason, headers):
    made, error = decoded(body, headers)
    assert (made, error.reason) == ([], reason)


def test_the_headers_of_an_error_count():
    headers = {**JSON, "Retry-After": "7", "X-Request-Id": "req_1", "X-Secret": "s"}
    _, error = decoded({"error": {"message": "Slow down", "code": 429}}, headers)
    assert (error.retry_after, error.upstream.request_id, error.upstream.status) == (7.0, "req_1", 429)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[1]",
        b'{"choices": []}',
        b"{}",
        b'{"output": "x", "error": null}',
        b'{"output": [',
        b'{"a": "\xff"}',
    ],
)
def test_anything_else_is_no_answer(body):
    with pytest.raises(TurnError) as caught:
        events(body)
    assert caught.value.reason is Reason.PROTOCOL_ERROR
    assert "application/json" in caught.value.message


def test_an_answer_has_a_bound():
    with pytest.raises(TurnError, match="more than 100 bytes"):
        events(b'{"output": [' + b" " * 100, limit=100)


@given(st.binary(), st.sampled_from([JSON, STREAM, {}]), st.integers(1, 5))
def test_any_body_is_events_or_one_error(body, headers, pieces):
    with suppress(TurnError):
        assert all(isinstance(event, str) for event in events(body, headers, pieces))
