import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.wire.error_classifier import (
    CODES,
    STATUSES,
    encoded,
    from_close,
    from_error,
    from_handshake,
    from_http,
)


def error(code=None, **fields):
    return {"type": "error", "error": {"code": code, **fields}}


def detail(failure: TurnError) -> UpstreamDetail:
    assert failure.upstream is not None
    return failure.upstream


SAYS_IT_ALL = {
    Reason.CONNECTION_EXPIRED: ["websocket_connection_limit_reached", "connection_expiring"],
    Reason.ENCRYPTED_CONTENT_REFUSED: ["invalid_encrypted_content", "thinking_signature_invalid"],
    Reason.CONTEXT_LENGTH_EXCEEDED: ["context_length_exceeded"],
    Reason.RATE_LIMITED: ["rate_limit_exceeded", "rate_limit_error"],
    Reason.QUOTA_EXHAUSTED: [
        "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded", "organization_usage_limit_exceeded", "billing_hard_limit_reached",
        "billing_not_active", "usage_limit_reached", "usage_not_included",
    ],
    Reason.UPSTREAM_AUTH: [
        "invalid_api_key", "authentication_error", "permission_error", "unsupported_country_region_territory",
    ],
    Reason.MESSAGE_TOO_BIG: ["payload_too_large"],
    Reason.UPSTREAM_ERROR: [
        "server_error", "server_is_overloaded", "overloaded_error", "slow_down", "vector_store_timeout",
        "concurrent_request",
    ],
    Reason.INVALID_REQUEST: [
        "model_not_found", "invalid_prompt", "data_residency_mismatch", "bio_policy", "cyber_policy",
        "misalignment_policy_violation", "invalid_image", "invalid_image_format", "invalid_base64_image",
        "invalid_image_url", "image_too_large", "image_too_small", "image_parse_error",
        "image_content_policy_violation", "invalid_image_mode", "image_file_too_large",
        "unsupported_image_media_type", "empty_image_file", "failed_to_download_image",
        "image_file_not_found",
    ],
    Reason.CHAIN_LOST: ["previous_response_not_found", "codex_previous_response_stale"],
}  # fmt: skip
EXPECTED = {code: reason for reason, codes in SAYS_IT_ALL.items() for code in codes}
RETRYABLE = {Reason.RATE_LIMITED, Reason.UPSTREAM_ERROR, Reason.CONNECTION_EXPIRED}


def test_the_table_of_codes_is_the_one_that_is_tested():
    assert {code: verdict.reason for code, verdict in CODES.items()} == EXPECTED


@pytest.mark.parametrize("code", EXPECTED)
def test_each_code_in_each_shape(code):
    reason = EXPECTED[code]
    for payload in (
        error(code),
        error(type=code),
        {"type": "error", "code": code, "message": "x"},
        {"type": "response.failed", "response": {"error": {"code": code}}},
    ):
        failure = from_error(payload, continuing=True)
        assert failure.reason is reason
        assert failure.retryable is (reason in RETRYABLE)


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (400, Reason.INVALID_REQUEST, False),
        (401, Reason.UPSTREAM_AUTH, False),
        (402, Reason.QUOTA_EXHAUSTED, False),
        (403, Reason.UPSTREAM_AUTH, False),
        (404, Reason.INVALID_REQUEST, False),
        (405, Reason.UPSTREAM_ERROR, False),
        (408, Reason.UPSTREAM_ERROR, True),
        (409, Reason.UPSTREAM_ERROR, True),
        (413, Reason.MESSAGE_TOO_BIG, False),
        (418, Reason.UPSTREAM_ERROR, False),
        (422, Reason.INVALID_REQUEST, False),
        (429, Reason.RATE_LIMITED, True),
        (500, Reason.UPSTREAM_ERROR, True),
        (502, Reason.UPSTREAM_ERROR, True),
        (504, Reason.UPSTREAM_ERROR, True),
        (520, Reason.UPSTREAM_ERROR, True),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"code": "never_heard_of"}, {"type": "invalid_request_error"}])
def test_statuses_on_both_transports(status, reason, retryable, fields):
    if fields.get("type") and status in (405, 418):
        reason, retryable = Reason.INVALID_REQUEST, False  # Here the vague type is all there is.
    over_socket = from_error({"type": "error", "status": status, "error": fields}, continuing=False)
    over_http = from_http(status, {}, json.dumps({"error": fields}).encode(), continuing=False, now=0)
    for failure in (over_socket, over_http):
        assert (failure.reason, failure.retryable, detail(failure).status) == (reason, retryable, status)


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><head><title>404 Not Found</title></head></html>",
        b"404 page not found",
        b'{"detail":"Not Found"}',
        b'{"message":"no Route matched with those values"}',
        b'{"error":{"message":"Invalid URL (POST /responses)","type":"invalid_request_error","code":null}}',
        b'{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}',
    ],
)
def test_an_unknown_address_is_not_the_callers_fault(status, body):
    failure = from_http(status, {}, body, continuing=False)
    assert (failure.reason, failure.retryable) == (Reason.UPSTREAM_ERROR, False)
    assert "TRUNKLINE_UPSTREAM_URL" in failure.message


@pytest.mark.parametrize(
    "body",
    [
        error("model_not_found", message="The model 'x' does not exist."),
        {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model"}},
        {"error": "model 'x' not found"},
        {"error": {"message": "It went wrong."}},
        {"error": {"message": "Item with id 'x' not found.", "type": "invalid_request_error"}},
    ],
)
def test_what_the_api_does_not_find_is_the_callers(body):
    failure = from_http(404, {}, json.dumps(body).encode(), continuing=False)
    assert failure.reason is Reason.INVALID_REQUEST


def test_the_table_of_statuses_is_covered():
    assert set(STATUSES) == {400, 401, 402, 403, 404, 408, 409, 413, 422, 429}


@pytest.mark.parametrize("payload", [{}, {"type": "error"}, error("never_heard_of"), error(message="oops")])
def test_unknown_errors_are_not_retried(payload):
    failure = from_error(payload, continuing=True)
    assert (failure.reason, failure.retryable) == (Reason.UPSTREAM_ERROR, False)


@pytest.mark.parametrize("kind", ["invalid_request_error", "invalid_request"])
def test_a_vague_type_says_little(kind):
    assert from_error(error(type=kind), continuing=False).reason is Reason.INVALID_REQUEST
    assert from_error(error(type=kind) | {"status": 401}, continuing=False).reason is Reason.UPSTREAM_AUTH


@pytest.mark.parametrize(
    "payload",
    [
        {"status": 400} | error("previous_response_not_found"),
        {"status": 404} | error("previous_response_not_found"),
        {"type": "response.failed", "response": {"error": {"code": "codex_previous_response_stale"}}},
    ],
)
def test_a_chain_is_lost_only_where_there_was_one(payload):
    assert from_error(payload, continuing=True).reason is Reason.CHAIN_LOST
    assert from_error(payload, continuing=False).reason is Reason.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "invalid_request_error", "param": "previous_response_id"},
        {"message": "Invalid `previous_response_id`."},
        {"message": "Previous response with id 'resp_abc' not found."},
        {"message": "previous_response_id resp_abc is stale"},
        {"message": "Invalid `previous_response_id`: 'resp_abc' cannot be found."},
        {"code": "not_found", "message": "Previous response with id 'resp_abc' not found."},
    ],
)
def test_a_lost_chain_by_other_names(fields):
    masked = {"status": 400} | error(**fields)
    assert from_error(masked, continuing=True).reason is Reason.CHAIN_LOST
    assert from_error(masked, continuing=False).reason is Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    "message", ["the previous response was fine", "Invalid input after a long text: previous_response"]
)
def test_words_about_a_previous_response_are_not_a_lost_chain(message):
    refused = {"status": 400} | error(message=message)
    assert from_error(refused, continuing=True).reason is Reason.CONTINUATION_REFUSED
    assert from_error(refused, continuing=False).reason is Reason.INVALID_REQUEST


FORGOTTEN = [
    {"message": "No tool call found for function call output with call_id call_1.", "param": "input"},
    {"message": "no match"},
    {"code": "nobody_has_heard_of_it"},
    {"code": "model_not_found", "param": "model"},
    {"type": "invalid_request_error", "message": "Item with id 'rs_1' not found."},
]


@pytest.mark.parametrize("fields", FORGOTTEN)
@pytest.mark.parametrize("status", [400, 402, 404, 405, 410, 418, 422])
def test_any_4xx_to_a_request_with_an_id_proves_that_nothing_ran(status, fields):
    """Some upstreams forget a response and do not say so; 402 alone says more, of the bill."""
    for payload in (
        {"status": status} | error(**fields),
        {"type": "response.failed", "response": {"error": fields}, "status": status},
    ):
        reason = from_error(payload, continuing=True).reason
        billing = status == 402 and "model" not in str(fields) and "rs_1" not in str(fields)
        assert reason is (Reason.QUOTA_EXHAUSTED if billing else Reason.CONTINUATION_REFUSED)
        assert from_error(payload, continuing=False).reason is not reason or billing


@pytest.mark.parametrize("status", [200, 401, 403, 408, 409, 429, 500, 503])
def test_other_statuses_say_the_same_with_and_without_an_id(status):
    payload = {"status": status} | error("nobody_has_heard_of_it", message="no match")
    with_id, without = (from_error(payload, continuing=continuing) for continuing in (True, False))
    assert (with_id.reason, with_id.retryable) == (without.reason, without.retryable)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (error(type="invalid_request_error", message="no match"), Reason.CONTINUATION_REFUSED),
        (error("invalid_prompt", type="invalid_request_error"), Reason.INVALID_REQUEST),
        (error("context_length_exceeded") | {"status": 400}, Reason.CONTEXT_LENGTH_EXCEEDED),
        (error("invalid_encrypted_content") | {"status": 400}, Reason.ENCRYPTED_CONTENT_REFUSED),
        (error("payload_too_large") | {"status": 413}, Reason.MESSAGE_TOO_BIG),
        (
            {"type": "response.failed", "response": {"error": {"type": "invalid_request_error"}}},
            Reason.INVALID_REQUEST,
        ),
    ],
)
def test_a_refusal_that_says_why_is_not_about_the_id(payload, reason):
    assert from_error(payload, continuing=True).reason is reason


def test_a_post_with_an_id_is_refused_alike():
    failure = from_http(404, {}, b'{"error":{"message":"no match"}}', continuing=True)
    assert failure.reason is Reason.CONTINUATION_REFUSED
    assert failure.public().reason is Reason.INVALID_REQUEST


REFUSED_REASONING = [
    {"message": "Item 'rs_68' of type 'reasoning' was provided without its required following item."},
    {"message": "Item 'rs_68' of type 'reasoning' was provided without its required following item: 'fc_1'."},
    {"message": "Error code: 400 - Item with id 'rs_68f0-a' not found. Items are kept if `store` is"},
    {"message": 'Item with id "rs_1" not found.', "type": "invalid_request_error", "param": "input"},
    {"message": "The encrypted content gAAA... could not be verified. Reason: it could not be parsed."},
    {"message": "Invalid value: 'reasoning'. Supported values are: 'message'.", "param": "input[2]"},
    {"message": "Unsupported item type: `reasoning`", "code": "unsupported_item"},
]


@pytest.mark.parametrize("fields", REFUSED_REASONING)
@pytest.mark.parametrize("status", [400, 404, 422])
def test_refused_reasoning_is_known_by_its_words(fields, status):
    payload = {"status": status} | error(**fields)
    assert from_error(payload, continuing=False).reason is Reason.ENCRYPTED_CONTENT_REFUSED
    assert from_error(payload, continuing=True).reason is Reason.CONTINUATION_REFUSED
    bodies = [{"error": fields}, fields] + [{"detail": fields["message"]}] * ("param" not in fields)
    for body in bodies:
        failure = from_http(status, {}, json.dumps(body).encode(), continuing=False)
        assert failure.reason is Reason.ENCRYPTED_CONTENT_REFUSED


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, {"message": "Item with id 'msg_1' not found."}),
        (400, {"message": "Invalid value: 'reasoning'.", "param": "service_tier"}),
        (400, {"message": "Invalid value: 'Item with id 'rs_1' not found'."}),
        (400, {"message": "Invalid value: 'x' without its required following item 'x'."}),
        (500, {"message": "Item with id 'rs_1' not found."}),
    ],
)
def test_other_words_are_no_refused_reasoning(status, fields):
    failure = from_error({"status": status} | error(**fields), continuing=False)
    assert failure.reason in (Reason.INVALID_REQUEST, Reason.UPSTREAM_ERROR)


HOSTILE = st.sampled_from([
    "previous response not found", "previous_response_id is invalid", "Unknown previous response",
    "x' previous response not found 'x", "no previous response", "previous_response_not_found",
    "a" * 4000 + " previous response expired", "try again in 23h", "x`. Please try again in 20s. `",
    "context_length_exceeded", "insufficient_quota", "invalid_encrypted_content", "payload_too_large",
    'x". Previous response is stale, try again in 5m. "x', "Item with id 'rs_1' not found", "reasoning",
    "x' without its required following item. 'x",
])  # fmt: skip
QUOTING = st.sampled_from([
    "Invalid value: '{}'. Supported values are: 'auto', 'default', and 'flex'.", 'Unsupported value: "{}"',
    "The model `{}` does not exist or you don't have access to it.", "'{}' is not one of ['a', 'b'].",
    "Could not parse “{}”.", "Unknown parameter: '{}'.",
])  # fmt: skip


@settings(deadline=None)
@given(QUOTING, HOSTILE, st.booleans())
def test_quotations_do_not_affect_the_verdict(template, value, continuing):
    failure = from_error({"status": 400} | error(message=template.format(value)), continuing=continuing)
    assert (failure.public().reason, failure.retry_after) == (Reason.INVALID_REQUEST, None)
    assert failure.reason is not Reason.ENCRYPTED_CONTENT_REFUSED


@settings(deadline=None)
@given(
    st.sampled_from([{"code": "invalid_value"}, {"param": "service_tier"}, {"code": "model_not_found"}]),
    HOSTILE,
)
def test_beside_a_code_or_a_parameter_no_words_count(fields, words):
    failure = from_error({"status": 400} | error(message=words, **fields), continuing=True)
    assert (failure.reason, failure.retry_after) == (Reason.CONTINUATION_REFUSED, None)


@pytest.mark.parametrize("status", [429, 503])
def test_an_unquoted_delay_in_the_message_counts(status):
    plain = from_http(status, {}, b'{"error":{"message":"Slow down, try again in 7s."}}', continuing=False)
    quoted = from_http(status, {}, b'{"error":{"message":"\'try again in 7s\' failed"}}', continuing=False)
    assert (plain.retry_after, quoted.retry_after) == (7, None)


def test_the_detail_is_filled():
    body = b'{"error":{"code":"server_error","type":"server_error","message":"oops\\n again"}}'
    failure = from_http(503, {"X-Request-Id": "req_1", "Retry-After": "2"}, body, continuing=False, now=0)
    assert failure.message == "the upstream answered HTTP 503 (server_error): oops again"
    assert failure.upstream == UpstreamDetail("server_error", "server_error", 503, "req_1")
    assert failure.retry_after == 2
    assert failure.violations == ()


def test_an_html_page_is_reported_as_its_text():
    body = b"<html><head><title>Bad gateway</title></head><body><p>nginx</p></body></html>"
    assert (
        from_http(502, {}, body, continuing=False).message
        == "the upstream answered HTTP 502: Bad gateway nginx"
    )


def test_where_the_upstream_says_nothing_the_message_still_does():
    assert from_http(500, {}, b"", continuing=False).message == "the upstream answered HTTP 500"


def test_what_the_upstream_says_is_cut():
    long = error("c" * 1000, message="m" * 1000, type="t" * 1000) | {"request_id": "r" * 1000}
    failure = from_error(long, continuing=False)
    assert failure.message.endswith("m" * 499 + "…")
    assert len(failure.message) < 700
    upstream = detail(failure)
    assert len(upstream.code) == len(upstream.type) == len(upstream.request_id) == 128


@pytest.mark.parametrize("secret", ["sk-proj-abcDEF123", "sk-abc***********xyz", "Bearer abc.def.ghi"])
def test_a_key_that_the_upstream_repeats_is_not_passed_on(secret):
    failure = from_http(
        401,
        {},
        json.dumps({"error": {"message": f"Incorrect key: {secret} given"}}).encode(),
        continuing=False,
    )
    assert failure.message == "the upstream answered HTTP 401: Incorrect key: [key] given"


@pytest.mark.parametrize(
    "message",
    [
        "Request too large for m in organization org-1a2b on tokens: Limit 30000, Requested 45000.",
        "Request too large for model `m` on tokens per minute: Limit 6,000, Requested 7,500, reduce it.",
        "Rate limit reached for images per minute. Limit: 100 / 1min. Requested: 300. Try again in 6s.",
        "Rate limit: limit is 30k, requested 31k",
        "Rate limit reached: Limit 0, Used 0, Requested 1. Please try again in 1m.",
        "The request is too large for your tier.",
    ],
)
@pytest.mark.parametrize("fields", [{"code": "rate_limit_exceeded"}, {"type": "tokens"}])
def test_no_wait_cures_a_request_above_the_limit(message, fields):
    failure = from_error({"status": 429} | error(message=message, **fields), continuing=False)
    assert (failure.reason, failure.retryable, failure.retry_after) == (Reason.RATE_LIMITED, False, None)
    assert "org-1a2b" not in failure.message


@pytest.mark.parametrize(
    "message",
    [
        "Rate limit reached for m: Limit 30000, Used 29000, Requested 2000. Please try again in 2s.",
        "Rate limit reached: Limit 1M, Used 999,999, Requested 999K. Please try again in 2s.",
        "'Request too large: Limit 1, Requested 2' is too fast. Please try again in 2s.",
        "Slow down. Please try again in 2s.",
    ],
)
def test_a_wait_cures_any_other_rate_limit(message):
    failure = from_error({"status": 429} | error("rate_limit_exceeded", message=message), continuing=False)
    assert (failure.reason, failure.retryable, failure.retry_after) == (Reason.RATE_LIMITED, True, 2.0)


@pytest.mark.parametrize(
    ("status", "code", "should", "retryable"),
    [
        (429, "rate_limit_exceeded", "false", False),
        (429, "insufficient_quota", "true", False),
        (429, "rate_limit_exceeded", "true", True),
        (418, "", "true", True),
        (500, "", "false", False),
        (500, "", "perhaps", True),
        (400, "", "True", False),
    ],
)
def test_should_retry_forbids_always_and_allows_sometimes(status, code, should, retryable):
    body = json.dumps({"error": {"code": code}}).encode()
    assert from_http(status, {"X-Should-Retry": should}, body, continuing=False).retryable is retryable


def test_headers_inside_an_error_event():
    payload = error("rate_limit_exceeded", headers={"Retry-After-Ms": 1500, "X-Should-Retry": True})
    failure = from_error(payload, continuing=False)
    assert (failure.retry_after, failure.retryable) == (1.5, True)
    assert (
        from_error(error("rate_limit_exceeded", message="try again in 6m0s"), continuing=False).retry_after
        == 360
    )


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [(401, Reason.UPSTREAM_AUTH, False)]
    + [
        (status, Reason.CONNECT_FAILED, True)
        for status in (200, 301, 400, 403, 404, 405, 426, 429, 500, 501, 502)
    ],
)
def test_a_refused_handshake(status, reason, retryable):
    headers = {"Retry-After": "Thu, 01 Jan 1970 00:00:30 GMT", "X-Request-Id": "req_1"}
    failure = from_handshake(status, headers, b'{"error":{"code":"x"}}', now=10.0)
    assert (failure.reason, failure.retryable, failure.retry_after) == (reason, retryable, 20.0)
    assert failure.upstream == UpstreamDetail("x", "", status, "req_1")
    assert failure.message == f"the upstream refused the WebSocket with HTTP {status} (x)"


@pytest.mark.parametrize(
    ("code", "by_us", "reason", "retryable"),
    [(code, False, Reason.CONNECTION_LOST, True) for code in (1000, 1001, 1005, 1006, 1011, 1012, 1013, 4000)]
    + [(code, False, Reason.FRAME_REFUSED, False) for code in (1002, 1003, 1007)]
    + [(code, True, Reason.CONNECTION_LOST, True) for code in (1000, 1001, 1011)]
    + [(code, True, Reason.PROTOCOL_ERROR, False) for code in (1002, 1003, 1007, 1008, 1009)]
    + [
        (None, False, Reason.CONNECTION_LOST, True),
        (None, True, Reason.CONNECTION_LOST, True),
        (1008, False, Reason.CLOSED_BY_POLICY, False),
        (1009, False, Reason.MESSAGE_TOO_BIG, False),
    ],
)
def test_a_close_before_the_end(code, by_us, reason, retryable):
    failure = from_close(code, "", by_us=by_us)
    assert (failure.reason, failure.retryable) == (reason, retryable)
    assert detail(failure).status == (code or 0)


def test_a_close_is_reported_with_its_reason():
    assert from_close(1011, "a\nb").message == "the upstream closed the connection with 1011: a b"
    assert from_close(1011, "", by_us=True).message == "we closed the upstream connection with 1011"
    assert from_close(None, "").message == "the upstream connection broke without a close frame"


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NAMES = st.sampled_from(
    ["error", "response", "body", "code", "type", "message", "status", "headers", "retry-after", "param"]
)
JSON = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner), max_leaves=10
)


@given(st.dictionaries(NAMES, JSON), st.booleans())
def test_any_error_is_one_of_ours(payload, continuing):
    failure = from_error(payload, continuing=continuing)
    assert failure.message
    assert len(failure.message.splitlines()) == 1


@given(
    st.integers(100, 599),
    st.dictionaries(NAMES, st.text()),
    st.binary() | st.text().map(str.encode),
    st.floats(0, 1e10),
)
def test_any_answer_is_one_of_ours(status, headers, body, now):
    for failure in (
        from_http(status, headers, body, continuing=True, now=now),
        from_handshake(status, headers, body, now),
    ):
        assert len(failure.message.splitlines()) == 1
        assert detail(failure).status == status


def test_busy_with_429_is_a_rate_limit():
    failure = from_error(error("slow_down", message="try again in 2s") | {"status": 429}, continuing=False)
    assert failure.reason is Reason.RATE_LIMITED
    assert failure.retry_after == 2.0


ZIPPED = {"Content-Encoding": "gzip", "Retry-After": "3"}


def test_a_compressed_response_is_refused():
    error = encoded({"content-encoding": "GZIP"})
    assert error is not None
    assert (error.reason, "Content-Encoding gzip" in error.message) == (Reason.PROTOCOL_ERROR, True)
    assert encoded({"content-encoding": "identity"}) is encoded({}) is None


def test_of_a_compressed_error_status_and_headers_count():
    body = b'{"error":{"code":"context_length_exceeded","message":"no"}}'
    for error in (from_http(429, ZIPPED, body, continuing=False), from_handshake(429, ZIPPED, body)):
        assert error.retry_after == 3.0
        assert error.message.endswith("HTTP 429 with Content-Encoding gzip, which was not asked for")
    assert from_http(429, ZIPPED, body, continuing=False).reason is Reason.RATE_LIMITED


def test_a_long_text_is_cut_before_it_is_searched():
    """Searching sixty million characters would block the event loop for seconds."""
    error = from_error({"error": {"message": "sk-aaaa " * 2**20}}, continuing=True)
    assert len(error.message) < 600
