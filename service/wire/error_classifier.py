"""What went wrong, as one reason of ours: the one total classification.

Owns the tables from the upstream's codes, statuses and close codes to reasons. Must never know what is done
about a reason. The rule that would be broken first: a chain is lost only if there was one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from service.domain.errors import Fault, Reason, TurnError, UpstreamDetail
from service.domain.failure_policy import POLICIES
from service.wire.error_payload import (
    MAX_MESSAGE_CHARACTERS,
    Told,
    header,
    own_words,
    retry_delay,
    told_in,
    told_in_body,
)

MAX_TEXT_CHARACTERS = 500
MAX_NAME_CHARACTERS = 128


class Verdict(NamedTuple):
    """`retryable` None: as the reason has it."""

    reason: Reason
    retryable: bool | None = None


_INVALID = Verdict(Reason.INVALID_REQUEST)
_AUTH = Verdict(Reason.UPSTREAM_AUTH)
_QUOTA = Verdict(Reason.QUOTA_EXHAUSTED)
_RATE = Verdict(Reason.RATE_LIMITED)
_CHAIN = Verdict(Reason.CHAIN_LOST)
_EXPIRED = Verdict(Reason.CONNECTION_EXPIRED)
_SEALED = Verdict(Reason.ENCRYPTED_CONTENT_REFUSED)
_CONTEXT = Verdict(Reason.CONTEXT_LENGTH_EXCEEDED)
_TOO_BIG = Verdict(Reason.MESSAGE_TOO_BIG)
_REFUSED = Verdict(Reason.FRAME_REFUSED)
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
"""By the upstream's code, or by its type where that says as much."""

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
"""5xx: the upstream's trouble. Anything else: an error that nobody has heard of."""

VAGUE_TYPES: dict[str, Verdict] = {"invalid_request_error": _INVALID, "invalid_request": _INVALID}
"""Types that say less than a status."""

VAGUE_CODES = frozenset({"", *VAGUE_TYPES, "bad_request", "not_found", "not_found_error"})
"""Codes beside which the words of the message may still say more."""

CLOSES: dict[int, Verdict] = {
    1002: _REFUSED,
    1003: _REFUSED,
    1007: _REFUSED,
    1008: _BROKEN,
    1009: _TOO_BIG,
}
"""By the code with which the peer closed. The first three say that our frame was no good: the same one would
be no better over another line. 1008 is its policy, whichever way we come.
"""

OUR_CLOSES = frozenset({1002, 1003, 1007, 1008, 1009})
"""Codes with which we close on a peer that breaks the protocol, or sends more than we take."""

_CHAIN_WORDS = re.compile(
    r"previous[ _]response.{0,80}?\b(?:not found|invalid|stale|expired|unknown)\b"
    r"|\b(?:invalid|unknown|stale|expired|no)\W{1,3}previous[ _]response",
    re.IGNORECASE | re.DOTALL,
)
_NO_SUCH_ADDRESS = frozenset({404, 405})
_ADDRESS_WORDS = re.compile(
    r"invalid url\b|(?:(?:file|page|path|route|url|endpoint) )?not found\W*\Z", re.IGNORECASE
)
"""What servers say of an address that they do not serve, even in the shape of an error of the API."""

_CHAIN_OPENING = re.compile(r"(?:invalid|unknown|stale|expired)\W{1,3}previous_response_id\b", re.IGNORECASE)
"""The field at the head of the message, quoted or not: no value of a caller stands there."""

_SECRETS = re.compile(r"\b(?:sk|pk|key)-[\w*.-]{4,}|\bbearer\s+\S+", re.IGNORECASE)


def from_error(payload: Mapping[str, object], *, continuing: bool) -> TurnError:
    """An `error` event or a failed response. `continuing`: the request carried a previous_response_id."""
    told = told_in(payload)
    return _failure(_verdict(told, continuing=continuing), told, "the upstream reported an error")


def from_http(
    status: int, headers: Mapping[str, str], body: bytes, *, continuing: bool, now: float | None = None
) -> TurnError:
    """An answer to the POST that is no stream. A wrong address is the service's configuration, and not the
    request. An encoded body is not read: the status and headers say enough.
    """
    told = told_in_body(status, headers, b"" if encoding_of(headers) else body)
    what = f"the upstream answered HTTP {status}{_unread(headers)}"
    if status in _NO_SUCH_ADDRESS and _of_an_address(told):
        what += " as if it had no such address (TRUNKLINE_UPSTREAM_URL)"
        return _failure(_BROKEN, told, what, now=now)
    return _failure(_verdict(told, continuing=continuing), told, what, now=now)


def from_handshake(
    status: int, headers: Mapping[str, str], body: bytes, now: float | None = None
) -> TurnError:
    """A WebSocket upgrade that was refused: nothing was sent. An encoded body is not read."""
    told = told_in_body(status, headers, b"" if encoding_of(headers) else body)
    reason = Reason.UPSTREAM_AUTH if status == 401 else Reason.CONNECT_FAILED
    what = f"the upstream refused the WebSocket with HTTP {status}{_unread(headers)}"
    return _failure(Verdict(reason), told, what, now=now)


def from_close(code: int | None, reason: str, *, by_us: bool = False) -> TurnError:
    """A connection that ended before the response did. `code` None: without a close frame."""
    lost = Verdict(Reason.CONNECTION_LOST)
    if code is None:
        return _failure(lost, Told(), "the upstream connection broke without a close frame")
    told = Told(message=reason, status=code)
    if by_us:
        verdict = Verdict(Reason.PROTOCOL_ERROR) if code in OUR_CLOSES else lost
        return _failure(verdict, told, f"we closed the upstream connection with {code}")
    return _failure(CLOSES.get(code, lost), told, f"the upstream closed the connection with {code}")


def encoding_of(headers: Mapping[str, str]) -> str:
    """The encoding of a body that would have to be unpacked. Empty: none, as we asked for."""
    encoding = header(headers, "content-encoding").lower()
    return "" if encoding == "identity" else encoding[:MAX_NAME_CHARACTERS]


def encoded(headers: Mapping[str, str]) -> TurnError | None:
    """An answer that would have to be unpacked: a few bytes of it may be gigabytes.

    Returns None when it comes as it is.
    """
    if not encoding_of(headers):
        return None
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream answered{_unread(headers)}")


def _unread(headers: Mapping[str, str]) -> str:
    encoding = encoding_of(headers)
    return f" with Content-Encoding {_one_line(encoding)}, which was not asked for" if encoding else ""


def _verdict(told: Told, *, continuing: bool) -> Verdict:
    """In this order:

    1. a code or type that says it all ("busy" with 429 is a rate limit, whatever it calls itself);
    2. a chain that is lost, where there was one: by the parameter, or in words if neither code nor parameter
       speaks of something else. The upstream quotes what callers wrote: quoted words say nothing;
    3. the status;
    4. a type that says little;
    5. nobody knows.
    """
    known = CODES.get(told.code) or CODES.get(told.type)
    if known is _BUSY and told.status == 429:
        return _RATE
    if known is _CHAIN:
        return _CHAIN if continuing else Verdict(Reason.PROTOCOL_ERROR)
    if known is not None:
        return known
    if continuing and (told.param == "previous_response_id" or _says_chain_lost(told)):
        return _CHAIN
    if told.status in STATUSES:
        return STATUSES[told.status]
    if told.status >= 500:
        return _BUSY
    return VAGUE_TYPES.get(told.type, _BROKEN)


def _of_an_address(told: Told) -> bool:
    """The server speaks, and not the API: a page, no words, or words without a code, a type and a model."""
    named = told.nested or told.code or told.type or told.param or "model" in told.message.lower()
    return not named or _ADDRESS_WORDS.match(told.message) is not None


def _says_chain_lost(told: Told) -> bool:
    if told.param or told.code not in VAGUE_CODES:
        return False
    return bool(_CHAIN_OPENING.match(told.message) or _CHAIN_WORDS.search(own_words(told.message)))


def _prose(verdict: Verdict, told: Told) -> str:
    """Return the words that may name a time to wait; none of a bad request, because they may be its own."""
    at_fault = told.param or POLICIES[verdict.reason].fault is Fault.CALLER
    return "" if at_fault else own_words(told.message)


def _failure(verdict: Verdict, told: Told, what: str, *, now: float | None = None) -> TurnError:
    code, text = told.code[:MAX_NAME_CHARACTERS], _one_line(told.message)
    return TurnError(
        verdict.reason,
        what + (f" ({_one_line(code)})" if code else "") + (f": {text}" if text else ""),
        retryable=_retryable(verdict, header(told.headers, "x-should-retry").lower()),
        retry_after=retry_delay(told.headers, _prose(verdict, told), now=now),
        upstream=UpstreamDetail(
            code,
            told.type[:MAX_NAME_CHARACTERS],
            told.status,
            told.request_id[:MAX_NAME_CHARACTERS],
        ),
    )


def _retryable(verdict: Verdict, should_retry: str) -> bool | None:
    # The upstream may always say no. Its yes counts only where nothing else decides: no bill is paid by
    # retrying.
    match should_retry:
        case "false":
            return False
        case "true" if verdict.reason is Reason.UPSTREAM_ERROR:
            return True
        case _:
            return verdict.retryable


def in_log(error: Exception) -> str:
    """What a library says of a failure, for the log: cut, and without what looks like a key.

    Callers get its kind alone: the words name internal addresses and details of TLS.
    """
    return f"{type(error).__name__}: {_one_line(str(error))}"


def _one_line(text: str) -> str:
    # Some servers repeat the key that they refused.
    line = " ".join(_SECRETS.sub("[key]", text[:MAX_MESSAGE_CHARACTERS]).split())
    return line if len(line) <= MAX_TEXT_CHARACTERS else line[: MAX_TEXT_CHARACTERS - 1] + "…"
