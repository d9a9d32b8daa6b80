"""Map every failure that an upstream can report to one `Reason`.

The tables go from the upstream's codes, HTTP statuses and close codes to reasons; `_verdict` gives their
order. A chain is only reported as lost when the request continued one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from service.domain.errors import Fault, Reason, TurnError, UpstreamDetail
from service.domain.failure_policy import POLICIES
from service.wire.error_payload import (
    ErrorPayload,
    header,
    parse_error_body,
    parse_error_payload,
    retry_delay,
    without_quotes,
)
from service.wire.error_text import one_line
from service.wire.error_words import incurable, of_an_address, refuses_reasoning, says_chain_lost

MAX_NAME_CHARACTERS = 128


class Verdict(NamedTuple):
    """A reason, and whether a retry may help; `retryable` None: the default of the reason."""

    reason: Reason
    retryable: bool | None = None


_INVALID = Verdict(Reason.INVALID_REQUEST)
_AUTH = Verdict(Reason.UPSTREAM_AUTH)
_QUOTA = Verdict(Reason.QUOTA_EXHAUSTED)
_RATE = Verdict(Reason.RATE_LIMITED)
_CHAIN = Verdict(Reason.CHAIN_LOST)
_EXPIRED = Verdict(Reason.CONNECTION_EXPIRED)
_CONTINUED = Verdict(Reason.CONTINUATION_REFUSED)
_SEALED = Verdict(Reason.ENCRYPTED_CONTENT_REFUSED)
_CONTEXT = Verdict(Reason.CONTEXT_LENGTH_EXCEEDED)
_TOO_BIG = Verdict(Reason.MESSAGE_TOO_BIG)
_REFUSED = Verdict(Reason.FRAME_REFUSED)
_POLICY = Verdict(Reason.CLOSED_BY_POLICY)
_BUSY = Verdict(Reason.UPSTREAM_ERROR, retryable=True)
_BROKEN = Verdict(Reason.UPSTREAM_ERROR, retryable=False)

CODES: dict[str, Verdict] = {
    "previous_response_not_found": _CHAIN,
    "codex_previous_response_stale": _CHAIN,
    "websocket_connection_limit_reached": _EXPIRED,
    "connection_expiring": _EXPIRED,
    "invalid_encrypted_content": _SEALED,
    "thinking_signature_invalid": _SEALED,
    "context_length_exceeded": _CONTEXT,
    "rate_limit_exceeded": _RATE,
    "rate_limit_error": _RATE,
    "insufficient_quota": _QUOTA,
    "credit_balance_exhausted": _QUOTA,
    "organization_spend_limit_exceeded": _QUOTA,
    "project_spend_limit_exceeded": _QUOTA,
    "organization_usage_limit_exceeded": _QUOTA,
    "billing_hard_limit_reached": _QUOTA,
    "billing_not_active": _QUOTA,
    "usage_limit_reached": _QUOTA,
    "usage_not_included": _QUOTA,
    "invalid_api_key": _AUTH,
    "authentication_error": _AUTH,
    "permission_error": _AUTH,
    "unsupported_country_region_territory": _AUTH,
    "payload_too_large": _TOO_BIG,
    "server_error": _BUSY,
    "server_is_overloaded": _BUSY,
    "overloaded_error": _BUSY,
    "slow_down": _BUSY,
    "vector_store_timeout": _BUSY,
    "concurrent_request": _BUSY,
    "model_not_found": _INVALID,
    "invalid_prompt": _INVALID,
    "data_residency_mismatch": _INVALID,
    "bio_policy": _INVALID,
    "cyber_policy": _INVALID,
    "misalignment_policy_violation": _INVALID,
    "invalid_image": _INVALID,
    "invalid_image_format": _INVALID,
    "invalid_base64_image": _INVALID,
    "invalid_image_url": _INVALID,
    "image_too_large": _INVALID,
    "image_too_small": _INVALID,
    "image_parse_error": _INVALID,
    "image_content_policy_violation": _INVALID,
    "invalid_image_mode": _INVALID,
    "image_file_too_large": _INVALID,
    "unsupported_image_media_type": _INVALID,
    "empty_image_file": _INVALID,
    "failed_to_download_image": _INVALID,
    "image_file_not_found": _INVALID,
}
"""By the upstream's code, or by its type where that is as specific."""

STATUSES: dict[int, Verdict] = {
    400: _INVALID,
    401: _AUTH,
    402: _QUOTA,
    403: _AUTH,
    404: _INVALID,
    408: _BUSY,
    409: _BUSY,
    413: _TOO_BIG,
    422: _INVALID,
    429: _RATE,
}
"""A 5xx counts as busy. Any other status is an unknown error."""

VAGUE_TYPES: dict[str, Verdict] = {"invalid_request_error": _INVALID, "invalid_request": _INVALID}
"""Types that are less specific than a status."""

CLOSES: dict[int, Verdict] = {
    1002: _REFUSED,
    1003: _REFUSED,
    1007: _REFUSED,
    1008: _POLICY,
    1009: _TOO_BIG,
}
"""By the code with which the peer closed. The first three reject our frame: another connection would reject
the same one. 1008 is a policy of the upstream, perhaps against WebSockets.
"""

OUR_CLOSES = frozenset({1002, 1003, 1007, 1008, 1009})
"""Codes with which we close when the peer breaks the protocol, or exceeds the size of a message."""

_NO_SUCH_ADDRESS = frozenset({404, 405})
_OF_THE_MOMENT = frozenset({401, 403, 408, 409, 429})
"""The 4xx that a request without a previous_response_id would get, too."""


def from_error(payload: Mapping[str, object], *, continuing: bool) -> TurnError:
    """Classify an `error` event or a failed response. `continuing`: it had a previous_response_id."""
    error = parse_error_payload(payload)
    verdict = _verdict(error, continuing=continuing)
    ran = payload.get("type") == "response.failed"
    if continuing and _refuses_whole(verdict, error, ran=ran):
        verdict = _CONTINUED
    return _failure(verdict, error, "the upstream reported an error")


def from_http(
    status: int, headers: Mapping[str, str], body: bytes, *, continuing: bool, now: float | None = None
) -> TurnError:
    """Classify a response to the POST that is no stream. A compressed body is not read.

    A wrong address is a fault of the service's configuration, not of the request.
    """
    error = parse_error_body(status, headers, b"" if encoding_of(headers) else body)
    what = f"the upstream answered HTTP {status}{_unread(headers)}"
    verdict = _verdict(error, continuing=continuing)
    if status in _NO_SUCH_ADDRESS and verdict is not _SEALED and of_an_address(error):
        what += " as if it had no such address (TRUNKLINE_UPSTREAM_URL)"
        return _failure(_BROKEN, error, what, now=now)
    if continuing and _refuses_whole(verdict, error):
        verdict = _CONTINUED
    return _failure(verdict, error, what, now=now)


def from_handshake(
    status: int, headers: Mapping[str, str], body: bytes, now: float | None = None
) -> TurnError:
    """Classify a refused WebSocket upgrade: nothing was sent. A compressed body is not read."""
    error = parse_error_body(status, headers, b"" if encoding_of(headers) else body)
    reason = Reason.UPSTREAM_AUTH if status == 401 else Reason.CONNECT_FAILED
    what = f"the upstream refused the WebSocket with HTTP {status}{_unread(headers)}"
    return _failure(Verdict(reason), error, what, now=now)


def from_close(code: int | None, reason: str, *, by_us: bool = False) -> TurnError:
    """Classify a connection that ended before its response. `code` None: without a close frame."""
    lost = Verdict(Reason.CONNECTION_LOST)
    if code is None:
        return _failure(lost, ErrorPayload(), "the upstream connection broke without a close frame")
    error = ErrorPayload(message=reason, status=code)
    if by_us:
        verdict = Verdict(Reason.PROTOCOL_ERROR) if code in OUR_CLOSES else lost
        return _failure(verdict, error, f"we closed the upstream connection with {code}")
    return _failure(CLOSES.get(code, lost), error, f"the upstream closed the connection with {code}")


def encoding_of(headers: Mapping[str, str]) -> str:
    """Return the content encoding of a compressed body; empty when there is none, as we request."""
    encoding = header(headers, "content-encoding").lower()
    return "" if encoding == "identity" else encoding[:MAX_NAME_CHARACTERS]


def encoded(headers: Mapping[str, str]) -> TurnError | None:
    """Refuse a compressed response: a few bytes of it may expand to gigabytes.

    Returns None when it is not compressed.
    """
    if not encoding_of(headers):
        return None
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream answered{_unread(headers)}")


def _unread(headers: Mapping[str, str]) -> str:
    encoding = encoding_of(headers)
    return f" with Content-Encoding {one_line(encoding)}, which was not asked for" if encoding else ""


def _verdict(error: ErrorPayload, *, continuing: bool) -> Verdict:
    """Choose the verdict from the most specific source, in this order:

    1. a known code or type ("busy" with status 429 is a rate limit);
    2. a lost chain, where the request continued one: by `param`, or by the text where neither code nor param
       names anything else. Quotations in the text are ignored, because they may repeat a caller's words;
    3. refused reasoning, by the text;
    4. the status;
    5. a general type;
    6. otherwise an unknown upstream error, not retried.
    """
    known = CODES.get(error.code) or CODES.get(error.type)
    if known is _BUSY and error.status == 429:
        return _RATE
    if known is _CHAIN:
        return _CHAIN if continuing else Verdict(Reason.PROTOCOL_ERROR)
    if known is not None:
        return known
    if continuing and (error.param == "previous_response_id" or says_chain_lost(error)):
        return _CHAIN
    if refuses_reasoning(error):
        return _CONTINUED if continuing else _SEALED
    if error.status in STATUSES:
        return STATUSES[error.status]
    if error.status >= 500:
        return _BUSY
    return VAGUE_TYPES.get(error.type, _BROKEN)


def _refuses_whole(verdict: Verdict, error: ErrorPayload, *, ran: bool = False) -> bool:
    """Return whether the request was refused before anything ran: by a 4xx, or as invalid for no known cause.

    `ran`: without a status, a response that failed may have begun.
    """
    if verdict not in (_INVALID, _BROKEN):
        return False
    if error.status:
        return 400 <= error.status < 500 and error.status not in _OF_THE_MOMENT
    return verdict is _INVALID and not ran and error.code not in CODES and error.type not in CODES


def _prose(verdict: Verdict, error: ErrorPayload) -> str:
    """Return the text that may name a delay: none where the request is at fault, because it may be quoted."""
    at_fault = error.param or POLICIES[verdict.reason].fault is Fault.CALLER
    return "" if at_fault else without_quotes(error.message)


def _failure(verdict: Verdict, error: ErrorPayload, what: str, *, now: float | None = None) -> TurnError:
    code, text = error.code[:MAX_NAME_CHARACTERS], one_line(error.message)
    retryable, retry_after = _retryable(verdict, header(error.headers, "x-should-retry").lower()), None
    if verdict is _RATE and incurable(error):
        retryable = False
    else:
        retry_after = retry_delay(error.headers, _prose(verdict, error), now=now)
    return TurnError(
        verdict.reason,
        what + (f" ({one_line(code)})" if code else "") + (f": {text}" if text else ""),
        retryable=retryable,
        retry_after=retry_after,
        upstream=UpstreamDetail(
            code,
            error.type[:MAX_NAME_CHARACTERS],
            error.status,
            error.request_id[:MAX_NAME_CHARACTERS],
        ),
    )


def _retryable(verdict: Verdict, should_retry: str) -> bool | None:
    # The upstream may always forbid a retry. It may allow one only where nothing else decides: an exhausted
    # quota, for instance, stays exhausted.
    match should_retry:
        case "false":
            return False
        case "true" if verdict.reason is Reason.UPSTREAM_ERROR:
            return True
        case _:
            return verdict.retryable
