"""Decode the body of an HTTP 200: server-sent events, or one JSON object in their place.

A stream was asked for, but gateways answer with a JSON error under status 200, and some servers with the
whole response. Such a body becomes the one event that it amounts to:

    {"object": "response", "status": "completed", "output": [...]}
        -> {"type": "response.done", "response": {...}}
    {"error": {"code": 429, "message": "Slow down"}}
        -> {"type": "error", "headers": {"retry-after": "7"}, "body": {"error": {...}}}

The first byte decides, whatever the content type says: no line of an event stream begins with a brace.
"""

from __future__ import annotations

import msgspec

from service.domain.errors import Reason, TurnError
from service.wire.error_payload import Headers, header
from service.wire.sse import SseDecoder

EVENT_STREAM = "text/event-stream"
HEADERS = ("retry-after", "retry-after-ms", "x-should-retry")
"""What of the headers classifies an error."""

RESPONSES = (b'"response"', b'"response.compaction"')
"""What an answer calls itself as `object`."""

_ABSENT = msgspec.Raw()


class _Body(msgspec.Struct):
    """The fields that tell a response from an error, undecoded."""

    object: msgspec.Raw = _ABSENT
    output: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    detail: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT


_BODY = msgspec.json.Decoder(_Body)


class AnswerBody:
    """Decode one body: call `feed` with each read, then `close`; both return the complete events.

    `limit`: of one event, in bytes.
    """

    __slots__ = ("_headers", "_kind", "_limit", "_object", "_sse")

    def __init__(self, limit: int, headers: Headers) -> None:
        self._limit = limit
        self._headers = headers
        self._kind = header(headers, "content-type")
        self._sse: SseDecoder | None = None
        self._object: bytearray | None = None

    def feed(self, data: bytes) -> list[str]:
        """Return the events that end in these bytes.

        Raises TurnError PROTOCOL_ERROR when an event is over the limit or not UTF-8, or the body is none.
        """
        if self._sse is not None:
            return self._sse.feed(data)
        if self._object is None:
            begin = data.lstrip()[:1]
            if not begin:
                return []
            if begin != b"{":
                return self._as_stream().feed(data)
            self._object = bytearray()
        self._object += data
        if len(self._object) > self._limit:
            raise _invalid(f"the upstream sent an answer of more than {self._limit} bytes")
        return []

    def close(self) -> list[str]:
        """Return the events that the end of the body completes; raises as `feed` does."""
        if self._object is None:
            return self._as_stream().close()
        body, self._object = bytes(self._object), bytearray()
        return [self._event_of(body)]

    def _as_stream(self) -> SseDecoder:
        if not self._kind.startswith(EVENT_STREAM):
            raise _invalid(f"the upstream answered with {self._named}, not an event stream")
        self._sse = self._sse or SseDecoder(self._limit)
        return self._sse

    @property
    def _named(self) -> str:
        return self._kind[:100] or "no type"

    def _event_of(self, body: bytes) -> str:
        try:
            text, found = body.decode(), _BODY.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise _invalid(f"the upstream answered with {self._named} that is no JSON: {error}") from error
        failed = _given(found.error)
        if bytes(found.object) in RESPONSES or bytes(found.output).startswith(b"["):
            return f'{{"type":"response.{"failed" if failed else "done"}","response":{text}}}'
        if not (failed or _given(found.detail) or _given(found.message)):
            raise _invalid(f"the upstream answered with {self._named} that is no response")
        named = {name: value for name in HEADERS if (value := header(self._headers, name))}
        about = {"headers": named, "request_id": header(self._headers, "x-request-id")}
        return f'{{"type":"error",{msgspec.json.encode(about).decode()[1:-1]},"body":{text}}}'


def _given(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _invalid(message: str) -> TurnError:
    return TurnError(Reason.PROTOCOL_ERROR, message)
