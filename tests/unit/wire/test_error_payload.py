import pytest

from service.wire.error_payload import (
    MAX_BODY_BYTES,
    MAX_MESSAGE_CHARACTERS,
    MAX_WAIT_S,
    ErrorPayload,
    header,
    parse_error_body,
    parse_error_payload,
    retry_delay,
)

NOT_FOUND = {
    "type": "invalid_request_error",
    "code": "previous_response_not_found",
    "message": "no",
    "param": "previous_response_id",
}
FULL = ErrorPayload("previous_response_not_found", "invalid_request_error", "no", "previous_response_id", 400)


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "error", "status": 400, "error": NOT_FOUND},
        {"type": "error", "status_code": 400, "error": NOT_FOUND},
        {"type": "error", "body": {"error": NOT_FOUND}, "status": 400},
        {"type": "error", "error": {"error": NOT_FOUND}, "status": "400"},
        {"type": "response.failed", "response": {"status": "failed", "error": NOT_FOUND}, "status": 400},
        {"error": NOT_FOUND | {"status": 400}},
        NOT_FOUND | {"status": 400, "sequence_number": 3},
    ],
)
def test_original_fault_flat_and_nested_error_frames_read_wrongly(payload):
    assert parse_error_payload(payload) == FULL


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        ({}, ErrorPayload()),
        ({"type": "error"}, ErrorPayload()),
        ({"type": "error", "error": {"message": "just words"}}, ErrorPayload(message="just words")),
        ({"error": "just words"}, ErrorPayload(message="just words")),
        ({"detail": "just words"}, ErrorPayload(message="just words")),
        ({"type": "error", "code": None, "message": None, "error": None}, ErrorPayload()),
        ({"error": {"code": "429", "message": "wait"}}, ErrorPayload(message="wait", status=429)),
        ({"error": {"code": 503}}, ErrorPayload(status=503)),
        ({"status": True, "code": ["x"], "message": {"a": 1}, "error": [1]}, ErrorPayload()),
        ({"status": 4000, "error": {"code": "²²²"}}, ErrorPayload()),
        (
            {"type": "error", "status": 200, "error": {"code": "a", "code_": "b"}},
            ErrorPayload(code="a", status=200),
        ),
        ({"response": {"id": "resp_1", "error": {"code": "a"}}}, ErrorPayload(code="a", request_id="resp_1")),
        ({"request_id": "req_1", "error": {"code": "a"}}, ErrorPayload(code="a", request_id="req_1")),
    ],
)
def test_every_shape_of_failure_is_parsed_without_raising(payload, error):
    assert parse_error_payload(payload) == error


@pytest.mark.parametrize(
    "payload",
    [{"headers": {"a": 1}}, {"error": {"headers": {"a": 1}}}, {"error": {"headers": 3}, "headers": {"a": 1}}],
)
def test_headers_inside_or_on_top(payload):
    assert parse_error_payload(payload).headers == {"a": 1}


def test_layers_without_end():
    payload: dict[str, object] = {"code": "outer"}
    for _ in range(100):
        payload = {"error": payload}
    assert parse_error_payload(payload) == ErrorPayload()


def test_a_body():
    error = parse_error_body(429, {"X-Request-ID": "req_1"}, b'{"error":{"code":"slow_down","status":500}}')
    assert (error.code, error.status, error.request_id) == ("slow_down", 429, "req_1")
    assert parse_error_body(500, {}, b'{"request_id":"req_2"}').request_id == "req_2"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b"[1]", "[1]"),
        (b"upstream connect error", "upstream connect error"),
        (b"1 < 2", "1 < 2"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 5000, "[" * 4096),
        (
            b"<!DOCTYPE html><title>520: Web &amp; server</title><style>p {}</style><!-- no --><h1>Oops</h1>",
            "520: Web & server Oops",
        ),
        (b"<p>cut</p><style>" + b"x" * 5000, "cut"),
        (b"<p>cut</p><!-- " + b"x" * 5000, "cut"),
        (b"<p>cut</p><img alt=", "cut"),
    ],
)
def test_another_body_is_reduced_to_its_text(body, words):
    assert " ".join(parse_error_body(520, {}, body).message.split()) == words


class TwiceThere(dict[str, str]):
    def __getitem__(self, key):
        raise LookupError(key)


def test_texts_are_cut_before_they_are_searched():
    error = parse_error_payload({"error": {"message": "m" * 10_000, "code": "c" * 10_000}})
    assert (len(error.message), len(error.code)) == (MAX_MESSAGE_CHARACTERS, MAX_MESSAGE_CHARACTERS)
    assert parse_error_payload({"code": 10**5000}) == ErrorPayload()


def test_a_large_body_is_not_read_as_json():
    body = b'{"code":"slow_down","x":"' + b"x" * MAX_BODY_BYTES + b'"}'
    assert parse_error_body(500, {}, body).code == ""


def test_headers_in_any_case_and_of_any_type():
    assert header({"A": "1", "Retry-After": " 3 "}, "retry-after") == "3"
    assert header({"retry-after": 3}, "retry-after") == "3"
    assert header({}, "retry-after") == ""
    assert header(TwiceThere({"retry-after": "3"}), "retry-after") == ""


NOW = 1445412480.0


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": 1.5}, 1.5),
        ({"retry-after": "20", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": 250}, 0.25),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "1e300"}, MAX_WAIT_S),
        ({"Retry-After": "Wed, 21 Oct 99999 07:28:30 GMT"}, None),
        ({"Retry-After": True}, None),
    ],
)
def test_a_delay_in_headers(headers, delay):
    assert retry_delay(headers, now=NOW) == delay


def test_a_date_needs_a_clock():
    assert retry_delay({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}) is None


@pytest.mark.parametrize(
    ("message", "delay"),
    [
        ("Rate limit reached. Please try again in 20s. Visit", 20.0),
        ("try again in 250ms", 0.25),
        ("Try again in 1.5 seconds.", 1.5),
        ("try again in 1m30s", 90.0),
        ("try again in 6m0s.", 360.0),
        ("try again in 1h 2m 3s", 3723.0),
        ("try again in 5 minutes", 300.0),
        ("try again in 30 milliseconds", 0.03),
        ("try again in 2 hours, 1 minute", 7260.0),
        ("try again in 9 days", MAX_WAIT_S),
        ("try again in a while", None),
        ("try again in 5 mistakes", None),
        ("try again in 5", None),
        ("", None),
    ],
)
def test_a_delay_in_the_message(message, delay):
    assert retry_delay({}, message) == (pytest.approx(delay) if delay is not None else None)
    assert retry_delay({"retry-after": "7"}, message) == 7
