r"""Decode server-sent events: bytes, split anywhere, to the data of complete events.

The framing is that of the WHATWG HTML standard, "Server-sent events": only CR, LF and CRLF end a line, so
U+2028 is text; an empty line ends an event; `data` lines of one event are joined by LF. An example:

    feed(b'event: a\ndata: {"x":')     -> []
    feed(b"1}\r")                      -> []
    feed(b"\n\r\ndata: [DONE]\n\n")    -> ['{"x":1}']      (CR and LF were one CRLF; [DONE] is no event)
"""

from __future__ import annotations

from codecs import BOM_UTF8

from service.domain.errors import Reason, TurnError
from service.wire.bounds import MAX_MESSAGE_BYTES

DONE = "[DONE]"
"""What some servers send after the last event. It carries no information."""


class SseDecoder:
    """Decode one stream: call `feed` with each read, then `close`; both return the complete events."""

    __slots__ = ("_after_cr", "_data", "_limit", "_line", "_started")

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._line = bytearray()  # the beginning of a line that has not ended
        self._data: bytes | bytearray | None = None  # the data of an event that has not ended; None: no line
        self._after_cr = False
        self._started = False

    def feed(self, data: bytes) -> list[str]:
        """Return the data of each event that ends in these bytes.

        Raises TurnError PROTOCOL_ERROR when an event is over the limit or not UTF-8.
        """
        if self._after_cr and data:
            self._after_cr = False
            # The LF of a CRLF: the CR has ended the line already.
            data = data.removeprefix(b"\n")
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        # On bytes, unlike on str, this splits at CR, LF and CRLF only.
        lines = data.splitlines()
        rest = b"" if data.endswith((b"\r", b"\n")) else lines.pop()
        # There may be millions of empty lines; most end nothing and are skipped here, without a call each.
        events = [
            event
            for line in lines
            if (line or self._line or self._data is not None) and (event := self._end_line(line))
        ]
        self._line += rest
        self._check_size()
        return events

    def close(self) -> list[str]:
        """Return the last event when the stream ended without an empty line."""
        # The first ends an open line, the second the event.
        return [event for _ in range(2) if (event := self._end_line(b""))]

    def _end_line(self, end: bytes) -> str:
        line: bytes | bytearray = end
        if self._line:
            # Long lines arrive in many pieces: extend the buffer instead of copying it.
            line, self._line = self._line, bytearray()
            line += end
        if not self._started:
            self._started = True
            line = line.removeprefix(BOM_UTF8)
        if not line:
            return self._end_event()
        if line.startswith(b"data:"):
            start = 6 if line.startswith(b"data: ") else 5
            if isinstance(line, bytes):
                line = line[start:]
            else:
                del line[:start]
            self._take(line)
        elif line == b"data":
            self._take(b"")
        return ""

    def _take(self, value: bytes | bytearray) -> None:
        if self._data is None:
            self._data = value
        else:
            # One buffer instead of a list of lines: there may be millions of empty ones.
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += b"\n"
            self._data += value
        self._check_size()

    def _end_event(self) -> str:
        data, self._data = self._data, None
        if data is None:
            return ""
        try:
            event = data.decode()
        except UnicodeDecodeError as error:
            raise TurnError(Reason.PROTOCOL_ERROR, "the upstream sent an event that is not UTF-8") from error
        return "" if event.startswith(DONE) else event

    def _check_size(self) -> None:
        if len(self._line) + len(self._data or b"") > self._limit:
            message = f"the upstream sent an event of more than {self._limit} bytes"
            raise TurnError(Reason.PROTOCOL_ERROR, message)
