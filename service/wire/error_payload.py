"""Parse what an upstream reports about a failure into one shape: `ErrorPayload`.

Servers and proxies nest the same fields differently. All of these are read alike:

    {"type": "error", "status": 400, "error": {"code": "...", "message": "...", "param": "..."}}
    {"type": "error", "code": "...", "message": "..."}
    {"type": "response.failed", "response": {"id": "resp_1", "error": {"code": "..."}}}
    {"detail": "just words"}                                    and an HTML page, reduced to its text

Each object in `response`, `body` or `error` is a layer; the innermost layer that has a field decides it.
Nothing here raises, because what is parsed is a failure already. What a failure means is decided in
`error_classifier`.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime

import msgspec

MAX_PAGE_BYTES = 4096
"""Of a body that is not JSON, only this many bytes are read."""
MAX_BODY_BYTES = 64 * 1024
"""A larger body is not parsed as JSON."""
MAX_MESSAGE_CHARACTERS = 4096
"""Longer texts are cut: searching them takes time in proportion, and 500 characters are shown."""
MAX_WAIT_S = 24 * 3600.0
MAX_LAYERS = 8
MAX_PROSE_CHARACTERS = 2048
"""Only this much of a message is searched for words."""

Headers = Mapping[str, object]
Layer = Mapping[str, object]

LAYER_KEYS = ("response", "body", "error")
"""The fields in which one layer holds the next."""

_MARKUP = re.compile(
    r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*(?:>|\Z)", re.DOTALL | re.IGNORECASE
)

MARKS = "'\"`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_QUOTED = re.compile(rf"(?<!\w)[{MARKS}].*[{MARKS}](?!\w)", re.DOTALL)
_OPENED = re.compile(rf"(?<!\w)[{MARKS}].*", re.DOTALL)

_UNIT_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_AMOUNT = r"\d+(?:\.\d+)?\s*(?:ms|milliseconds?|[dhms](?:econds?|inutes?|ours?|ays?)?)(?![a-z])"
_AGAIN_IN = re.compile(rf"try again in\s+((?:{_AMOUNT}[\s,]*)+)", re.IGNORECASE)
_AMOUNTS = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|[dhms])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ErrorPayload:
    """A failure as the upstream reported it; a field is empty where it reported nothing.

    `status` is an HTTP status or the code of a close frame. `nested`: the error was an object of its own, as
    the API sends it.
    """

    code: str = ""
    type: str = ""
    message: str = ""
    param: str = ""
    status: int = 0
    request_id: str = ""
    headers: Headers = field(default_factory=dict)
    nested: bool = field(default=False, compare=False)


def parse_error_payload(payload: Layer) -> ErrorPayload:
    """Parse an error event, a failed response or the body of an HTTP error; the innermost layer wins."""
    layers = list(_layers(payload))[::-1]
    # Some proxies put the status where the code belongs. The type of a frame is not the type of its error.
    codes = (code for code in _texts(layers, "code") if not code.isdigit())
    types = (kind for kind in _texts(layers, "type") if kind != "error" and not kind.startswith("response."))
    return ErrorPayload(
        code=next(codes, ""),
        type=next(types, ""),
        message=next(_texts(layers, "message", "detail", "error"), ""),
        param=next(_texts(layers, "param"), ""),
        status=next(_statuses(layers), 0),
        request_id=next(_texts(layers, "request_id", "response_id", "id"), ""),
        headers=next((value for layer in layers if isinstance(value := layer.get("headers"), Mapping)), {}),
        nested=len(layers) > 1,
    )


def parse_error_body(status: int, headers: Headers, body: bytes) -> ErrorPayload:
    """Parse an HTTP error response. An HTML page is reduced to its text."""
    try:
        payload = msgspec.json.decode(body) if len(body) <= MAX_BODY_BYTES else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        payload = None
    error = parse_error_payload(payload) if isinstance(payload, dict) else ErrorPayload(message=_words(body))
    request_id = header(headers, "x-request-id") or error.request_id
    return replace(error, status=status, request_id=request_id, headers=headers)


def header(headers: Headers, name: str) -> str:
    """Return the header's value as text, whatever the case of its name; empty when it is missing."""
    for key in headers:
        if key.lower() == name:
            try:
                return str(headers[key]).strip()
            except LookupError:
                return ""  # a duplicate header: some mappings refuse to choose
    return ""


def retry_delay(headers: Headers, message: str = "", *, now: float | None = None) -> float | None:
    """Return the seconds to wait before a retry, from the most exact source that names them.

    The order is retry-after-ms, retry-after, then "try again in 1m 30s" in the message. A date in retry-after
    needs `now`, in seconds of the epoch. Returns None when no source names a delay.
    """
    milliseconds = _number(header(headers, "retry-after-ms"))
    if milliseconds is not None:
        return _bounded(milliseconds / 1000)
    after = header(headers, "retry-after")
    seconds = _number(after)
    if seconds is None and now is not None:
        date = _date(after)
        seconds = None if date is None else date - now
    if seconds is None:
        seconds = _in_prose(message)
    return None if seconds is None else _bounded(seconds)


def without_quotes(message: str) -> str:
    """Return the message without its quotations, which may repeat what a caller wrote.

    Everything from the first quotation mark to the last is removed, because a quoted value may contain marks
    itself; in a message that is cut, everything from the first mark. An apostrophe inside a word is no mark.
    """
    quoted = _QUOTED if len(message) <= MAX_PROSE_CHARACTERS else _OPENED
    return quoted.sub(" ", message[:MAX_PROSE_CHARACTERS])


def _layers(payload: Layer) -> Iterator[Layer]:
    layer: Layer | None = payload
    for _ in range(MAX_LAYERS):
        if layer is None:
            return
        yield layer
        inner = (layer.get(key) for key in LAYER_KEYS)
        layer = next((value for value in inner if isinstance(value, Mapping)), None)


def _texts(layers: Sequence[Layer], *keys: str) -> Iterator[str]:
    for layer in layers:
        for key in keys:
            value = layer.get(key)
            if value and isinstance(value, str | int) and not isinstance(value, bool):
                yield _text(value)


def _text(value: str | int) -> str:
    try:
        return str(value)[:MAX_MESSAGE_CHARACTERS]
    except ValueError:
        return ""  # a number of thousands of digits


def _statuses(layers: Sequence[Layer]) -> Iterator[int]:
    for text in _texts(layers, "status", "status_code", "code"):
        if len(text) == 3 and text.isascii() and text.isdigit():
            yield int(text)


def _words(body: bytes) -> str:
    text = body[:MAX_PAGE_BYTES].decode(errors="replace")
    if text.lstrip().startswith("<"):
        text = html.unescape(_MARKUP.sub(" ", text))
    return text


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def _in_prose(message: str) -> float | None:
    found = _AGAIN_IN.search(message)
    if found is None:
        return None
    units = {"milli": "ms"}
    amounts = ((float(number), unit.lower()) for number, unit in _AMOUNTS.findall(found[1]))
    return sum(number * _UNIT_S[units.get(unit, unit)] for number, unit in amounts)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_WAIT_S)
