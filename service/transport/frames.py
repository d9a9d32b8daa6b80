"""Split received WebSocket frames without the library's parser: `SplittingConnection`.

The theory. The library's parser is a generator that takes each frame in several steps. Deltas are short
unfragmented texts, so those are split here, directly from what the socket returned, and every other frame is
left to the library, whole and in order. A frame as it arrives (RFC 6455, section 5.2):

    81 05 h e l l o 89 00 81 7e 01 00 ...
    |  |            |     |  |
    |  |            |     |  126: two bytes of length follow
    |  |            |     the next text
    |  |            a ping: the library's
    |  its length
    FIN and TEXT: `PLAIN`

Splitting is possible only where the start of a frame is known. Three things say where: the handshake ended
with a read (`_splitting`), the number of bytes that the library still lacks of a frame (`_owed`), and a
header that was cut in two by the end of a read (`_header`). As soon as it is not known, the library takes the
rest of the connection. A property test compares both ways on the same bytes.

Measured: splitting saves 1.6 % of the CPU of a delta at 50 streams of 50/s and 16 % at 1,000 streams
(docs/decisions/0031-undocumented-websockets.md). `TRUNKLINE_TUNING=frame-splitting` leaves it out:
`BufferedConnection` alone is the same.
"""

from __future__ import annotations

from typing import Any

from websockets.frames import Opcode
from websockets.protocol import State

from service.transport.receive_buffer import BufferedConnection

PLAIN = 0x80 | Opcode.TEXT
"""The first byte of a text in one frame: FIN is set, no reserved bit is."""

PLAIN_HEADER = 4
"""The longest header that is split here, in bytes: of up to 64 KiB, unmasked. A frame with a longer one is
left to the library, which knows the bounds; so is a text of one byte at the end of a read.
"""


class SplittingConnection(BufferedConnection):
    """Take short unfragmented texts directly from what the socket returned."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The start of the next frame is known only if the handshake ended with a read.
        self._splitting = False
        self._header = b""
        self._owed = 0

    def _feed(self, data: bytes) -> None:
        """Take the plain texts, and leave everything else to the library, frame by frame."""
        if not self._splitting:
            shaking_hands = self.response is None
            super()._feed(data)
            if shaking_hands:
                self._splitting = self.response is not None and data.endswith(b"\r\n\r\n")
            return
        data, self._header = self._header + data, b""
        at, end = min(self._owed, len(data)), len(data)
        if at:
            self._owed -= at
            self._parse(data[:at])
        while at < end:
            at = self._split_plain(data, at, end)
            if at == end:
                return
            stop = frame_end(data, at)
            if not stop and data[at] == PLAIN:
                self._header = data[at:]
                return
            if not stop:  # the length is unknown: the library takes the rest of the connection
                self._splitting = False
                super()._feed(data[at:])
                return
            self._parse(data[at:stop])
            self._owed = max(stop - end, 0)
            if self.protocol.state is not State.OPEN:
                return  # nothing counts after a close frame
            at = stop

    def _split_plain(self, data: bytes, at: int, end: int) -> int:
        """Take the plain texts from `at` on, and return where they end.

        The header is read here and not by `frame_end`, since each delta passes here.
        """
        began = at
        while at + PLAIN_HEADER <= end and data[at] == PLAIN and self._opcode is None:
            size = data[at + 1]
            if size < 126:
                begin = at + 2
                stop = begin + size
            elif size == 126:
                begin = at + 4
                stop = begin + (data[at + 2] << 8 | data[at + 3])
            else:
                break
            if stop > end:
                break
            text = data[begin:stop]
            try:
                self.messages.append(text.decode())
            except UnicodeDecodeError:
                self.messages.append(text)
            at = stop
        self._waiting_bytes += at - began
        return at


def frame_end(data: bytes, at: int) -> int:
    """Return where the frame at `at` ends; 0 when its header is incomplete.

    RFC 6455, section 5.2. Servers do not mask: the mask of a frame that is masked nevertheless counts as
    header.
    """
    have = len(data) - at
    if have < 2:
        return 0
    size = data[at + 1] & 0x7F
    header = 2 if size < 126 else 4 if size == 126 else 10
    if have < header:
        return 0
    if header > 2:
        size = int.from_bytes(data[at + 2 : at + header], "big")
    return at + header + (4 if data[at + 1] > 0x7F else 0) + size
