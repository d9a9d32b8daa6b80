"""Recognise a failure by the words of its message, where the upstream has no code for it.

A message may quote what a caller wrote, and a caller must not choose how it is classified. So quotations are
removed before a text is searched, or a pattern allows none before what it looks for.
"""

from __future__ import annotations

import re

from service.wire.error_payload import MARKS, ErrorPayload, without_quotes

VAGUE_CODES = frozenset(
    {"", "invalid_request_error", "invalid_request", "bad_request", "not_found", "not_found_error"}
)
"""Codes so general that the text of the message may still be more specific."""

_CHAIN_WORDS = re.compile(
    r"previous[ _]response.{0,80}?\b(?:not found|invalid|stale|expired|unknown)\b"
    r"|\b(?:invalid|unknown|stale|expired|no)\W{1,3}previous[ _]response",
    re.IGNORECASE | re.DOTALL,
)

_CHAIN_OPENING = re.compile(r"(?:invalid|unknown|stale|expired)\W{1,3}previous_response_id\b", re.IGNORECASE)
"""The field at the head of the message, quoted or not: no value of a caller can be there."""

_REASONING_WORDS = re.compile(
    r"\bwithout its required following item\b"
    r"|\bencrypted content.{0,120}?\bcould not be (?:verified|decrypted|parsed)\b",
    re.IGNORECASE | re.DOTALL,
)
_REASONING_ID = rf"[{MARKS}]?rs_[\w-]{{1,200}}[{MARKS}]?"
_REASONING_OPENING = re.compile(
    rf"[^{MARKS}]{{0,120}}?\b"
    rf"(?:item with id {_REASONING_ID} not found"
    rf"|item {_REASONING_ID}(?: of type [{MARKS}]reasoning[{MARKS}])? was provided without its required"
    rf"|(?:invalid|unknown|unsupported)[^{MARKS}]{{1,40}}\btype\W{{1,3}}reasoning\b)",
    re.IGNORECASE,
)
"""An item's id or type before any other quotation: no value of a caller can be there."""

_REASONING_VALUE = re.compile(
    rf"(?:invalid|unknown|unsupported)[^{MARKS}]{{1,40}}[{MARKS}]reasoning[{MARKS}]", re.IGNORECASE
)
"""A value of the input, where the param says that it is one."""

_ADDRESS_WORDS = re.compile(
    r"invalid url\b|(?:(?:file|page|path|route|url|endpoint) )?not found\W*\Z", re.IGNORECASE
)
"""How servers describe an address that they do not serve, even in the shape of an API error."""

_NUMBER = r"(\d[\d,_]{0,15}(?:\.\d{1,6})?)\s*([km]?)\b"
_LIMIT = re.compile(rf"\blimit(?:\s+is)?[\s:=]{{1,3}}{_NUMBER}", re.IGNORECASE)
_REQUESTED = re.compile(rf"\brequested[\s:=]{{1,3}}{_NUMBER}", re.IGNORECASE)
_TOO_LARGE = re.compile(r"\brequest (?:is |was )?too (?:large|big)\b", re.IGNORECASE)
_THOUSANDS = {"": 1, "k": 1_000, "m": 1_000_000}


def says_chain_lost(error: ErrorPayload) -> bool:
    """Return whether only the text says that the previous response is unknown."""
    if error.param or error.code not in VAGUE_CODES:
        return False
    return bool(_CHAIN_OPENING.match(error.message) or _CHAIN_WORDS.search(without_quotes(error.message)))


def refuses_reasoning(error: ErrorPayload) -> bool:
    """Return whether a 4xx refuses the request for an item of reasoning in its input."""
    of_input = error.param.startswith("input")
    if (error.param and not of_input) or (error.status and not 400 <= error.status < 500):
        return False
    if of_input and _REASONING_VALUE.match(error.message):
        return True
    return bool(
        _REASONING_OPENING.match(error.message) or _REASONING_WORDS.search(without_quotes(error.message))
    )


def of_an_address(error: ErrorPayload) -> bool:
    """Return whether the server answered and not the API: no code, type, param or model is named."""
    named = error.nested or error.code or error.type or error.param or "model" in error.message.lower()
    return not named or _ADDRESS_WORDS.match(error.message) is not None


def incurable(error: ErrorPayload) -> bool:
    """Return whether a rate limit refuses a request that is larger than the limit: no wait makes it smaller.

    For example "Request too large for m on tokens per min: Limit 30000, Requested 45000", but not "Limit
    30000, Used 29000, Requested 2000".
    """
    prose = without_quotes(error.message)
    limit, requested = _amount(_LIMIT, prose), _amount(_REQUESTED, prose)
    if limit is not None and requested is not None:
        return requested > limit
    return _TOO_LARGE.search(prose) is not None


def _amount(pattern: re.Pattern[str], text: str) -> float | None:
    found = pattern.search(text)
    if found is None:
        return None
    return float(found[1].replace(",", "").replace("_", "")) * _THOUSANDS[found[2].lower()]
