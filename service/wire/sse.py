"""Server-sent events: bytes as they come, cut anywhere, to the data of whole events.

Owns the framing. Must never know what the data says. The rule that would be broken first: only CR, LF and
CRLF end a line; U+2028 and its like are text.
"""

from __future__ import annotations

from codecs import BOM_UTF8

from service.domain.errors import Reason, TurnError
from service.wire.bounds import MAX_MESSAGE_BYTES

DONE = "[DONE]"
"""What some servers send behind the last event. It says nothing that the event did not."""


class SseDecoder:
    """One stream. `feed` what was read, then `close` at its end; both give the events that are complete."""

    __slots__ = ("_after_cr", "_data", "_limit", "_line", "_started")

    def __init__(self, limit: int = MAX_MESSAGE_BYTES) -> None:
        self._limit = limit
        self._line = bytearray()  # the beginning of a line that has not ended
        self._data: bytes | bytearray | None = None  # the data of an event that has not ended; None: no line
        self._after_cr = False
        self._started = False

    def feed(self, data: bytes) -> list[str]:
        """The data of each event that ends in here. TurnError PROTOCOL_ERROR: over the limit, or no UTF-8."""
        if self._after_cr and data:
            self._after_cr = False
            # The other half of a CRLF: the line has ended already.
            data = data.removeprefix(b"\n")
        if not data:
            return []
        self._after_cr = data.endswith(b"\r")
        # On bytes, unlike on str, this cuts at CR, LF and CRLF alone.
        lines = data.splitlines()
        rest = b"" if data.endswith((b"\r", b"\n")) else lines.pop()
        # Millions of empty lines may come; only one after data, or after the beginning of a line, ends
        # anything.
        events = [
            event
            for line in lines
            if (line or self._line or self._data is not None) and (event := self._end_line(line))
        ]
        self._line += rest
        self._check_size()
        return events

    def close(self) -> list[str]:
        """The last event, where the stream ended without its blank line."""
        # One end for the line, where one is open, and one for the event.
        return [event for _ in range(2) if (event := self._end_line(b""))]

    def _end_line(self, end: bytes) -> str:
        line: bytes | bytearray = end
        if self._line:
            # The long ones come this way, in many pieces: they are not copied.
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
            # Lines are no list: millions may be empty.
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
