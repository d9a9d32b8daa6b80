"""What a line has received and nobody has read yet: `Inbox`, a connection of `websockets`.

Owns the cut of what the socket gives into messages, and the backpressure. Must never know what the messages
say, or who reads them. The rule that would be broken first: the library sees every frame that is not the
plainest there is, whole and in its turn.

The library's receive queue is replaced by a list that is handed over all at once, without a task (deltas
that wait together travel together). Short unfragmented texts, which is what deltas are, are cut here, in a
fraction of what the library's own parser takes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import DATA_OPCODES, CloseCode, Frame, Opcode
from websockets.protocol import Event, State

from service.domain.errors import forget_frames

HIGH_WATER_BYTES = 64 * 1024
"""Above this, reading pauses until the exchange has taken what waits."""

READ_BYTES = 64 * 1024
"""What is asked of the socket at once. asyncio asks for 256 KiB, and making room for that can take longer
than reading a delta.
"""

PLAIN = 0x80 | Opcode.TEXT
"""The first byte of a text that is whole: nothing follows, nothing is reserved."""

PLAIN_HEADER = 4
"""Bytes at most: up to 64 KiB, unmasked. What needs a longer one is the library's, which knows the bounds; so
is a text of one byte that nothing follows.
"""

MAX_FRAGMENTS = 1024
FRAGMENT_BYTES = 1024
"""A message may come in so many fragments, and one more for each so many of its bytes. Servers cut at 4 KiB
or more; 16 MiB in fragments of one byte would take the library two minutes.
"""

MAX_SMALL_FRAMES = 1024
SMALL_BYTES = 16
"""So many frames may be in one read that carry next to nothing: pings, pongs, fragments, and messages
shorter than that (the shortest event is longer). The library takes 10 to 25 µs for each, and a read of 64 KiB
has room for 32,000. Whoever pings once a second while nobody reads gets there in 17 minutes.
"""

SLICE_BYTES = 4 * 1024
"""What is not cut here is given to the library in pieces, so that it stops at the bound above."""

MAX_UNREAD_PONGS = 1024
"""So many pings are answered while the peer reads none of what we write, with up to 131 bytes each."""

STRAY_BYTES = 256
"""More than this without the end of a frame is no ping, pong or farewell: those have 139 bytes at most."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Counts the time that the machine slept, where the system can tell: a line that slept with it is not to
be trusted.
"""


def now() -> float:
    return time.clock_gettime(_CLOCK)


class Inbox(ClientConnection):
    """A connection that keeps its messages until they are asked for.

    `reading`: the socket is being read. `resting`: no message is due, and `on_data` also reports the
    beginning of one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.messages: list[str | bytes] = []
        self.heard_at = now()
        self.on_data: Callable[[], None] = _nothing
        self.on_lost: Callable[[], None] = _nothing
        self.reading = True
        self.resting = False
        self._waiting_bytes = 0
        # The message that is not at its end: its kind, what came of it, and in how many fragments.
        self._opcode: Opcode | None = None
        self._fragments = 0
        self._whole = bytearray()
        self._small_frames = 0
        self._unread_pongs = 0
        self._stray_bytes = 0
        self._refused = False
        # Where the next frame begins is known only if the handshake ended with a read.
        self._cutting = False
        self._header = b""
        self._owed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if hasattr(transport, "max_size"):  # not over TLS, where the buffer is another
            transport.max_size = READ_BYTES

    def data_received(self, data: bytes) -> None:
        self.heard_at = now()
        self._small_frames = 0
        if self.resting:
            self._stray_bytes += len(data)
        if self._cutting:
            self._cut(data)
        else:
            shaking_hands = self.response is None
            self._give(data)
            if shaking_hands:
                self._cutting = self.response is not None and data.endswith(b"\r\n\r\n")
        if self.messages or (self.resting and (self._opcode or self._stray_bytes > STRAY_BYTES)):
            self.on_data()
            if self._waiting_bytes > HIGH_WATER_BYTES:
                self.pause()
        if self.protocol.state is State.CLOSING:
            # The farewell is written. Waiting for the peer to hang up first would only hide the news.
            self.transport.close()

    def process_event(self, event: Event) -> None:
        if self.response is None or not isinstance(event, Frame):
            super().process_event(event)
            return
        if self._refused:
            return
        self._stray_bytes = 0
        if event.opcode in DATA_OPCODES:
            self._collect(event)
        elif event.opcode is Opcode.PING and self.paused:
            self._unread_pongs += 1
            if self._unread_pongs > MAX_UNREAD_PONGS:
                self._refuse(f"more than {MAX_UNREAD_PONGS} pings, and no answer to them is read")
        if event.opcode is not Opcode.TEXT or not event.fin or len(event.data) < SMALL_BYTES:
            self._small_frames += 1
            if self._small_frames > MAX_SMALL_FRAMES:
                self._refuse(f"more than {MAX_SMALL_FRAMES} small frames at once")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_pongs = 0

    def pause(self) -> None:
        """Stops reading, until `resume` or `take`."""
        if self.reading and not self.transport.is_closing():
            self.reading = False
            self.transport.pause_reading()

    def resume(self) -> None:
        full = self._waiting_bytes > HIGH_WATER_BYTES
        if not (self.reading or full or self.transport.is_closing()):
            self.reading = True
            self.transport.resume_reading()

    def take(self) -> list[str | bytes]:
        taken, self.messages, self._waiting_bytes = self.messages, [], 0
        if not self.reading:
            self.resume()
        return taken

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.on_lost()
        # Without these, all of it would wait for the collector.
        self.on_data = self.on_lost = _nothing
        self.protocol.parser.close()
        forget_frames(self.protocol.parser_exc)
        forget_frames(self.protocol.handshake_exc)

    def _refuse(self, why: str) -> None:
        """Close on a peer that breaks no rule of the protocol, and wears us out."""
        if self._refused:
            return
        self._refused = True
        self.protocol.fail(CloseCode.POLICY_VIOLATION, why)
        self.send_data()
        if self.paused:  # it would never read the farewell
            self.transport.abort()

    def _give(self, data: bytes) -> None:
        """Leave everything to the library, as much at once as it may take without a look at what came."""
        for at in range(0, len(data), SLICE_BYTES):
            super().data_received(data[at : at + SLICE_BYTES])
            if self._refused:
                return

    def _cut(self, data: bytes) -> None:
        """Takes the plain texts, and gives everything else to the library, frame by frame.

        `_owed` are the bytes that the library still lacks of a frame, `_header` is a header that was cut in
        two.
        """
        data, self._header = self._header + data, b""
        at, end = min(self._owed, len(data)), len(data)
        if at:
            self._owed -= at
            super().data_received(data[:at])
        while at < end:
            at = self._cut_plain(data, at, end)
            if at == end:
                return
            stop = _stop(data, at)
            if not stop and data[at] == PLAIN:
                self._header = data[at:]
                return
            if not stop:  # whatever it is: the library goes on from here, alone
                self._cutting = False
                self._give(data[at:])
                return
            super().data_received(data[at:stop])
            self._owed = max(stop - end, 0)
            if self.protocol.state is not State.OPEN:
                return  # whatever follows a farewell
            at = stop

    def _cut_plain(self, data: bytes, at: int, end: int) -> int:
        """Takes the plain texts from `at` on, and returns where they end. In one place, since each delta
        passes here.
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

    def _collect(self, frame: Frame) -> None:
        self._waiting_bytes += len(frame.data)
        if frame.fin and self._opcode is None:
            self.messages.append(_message(frame.opcode, bytes(frame.data)))
            return
        self._opcode = self._opcode or frame.opcode
        self._whole += frame.data
        self._fragments += 1
        if frame.fin:
            self.messages.append(_message(self._opcode, bytes(self._whole)))
            self._drop_fragments()
        elif self._fragments > MAX_FRAGMENTS + len(self._whole) // FRAGMENT_BYTES:
            self._drop_fragments()
            self._refuse(f"more than {MAX_FRAGMENTS} fragments of a message")

    def _drop_fragments(self) -> None:
        self._opcode, self._fragments, self._whole = None, 0, bytearray()


def _stop(data: bytes, at: int) -> int:
    """Where the frame at `at` stops; 0: its header is not whole.

    RFC 6455, section 5.2. Servers do not mask: of a frame that is masked all the same, the mask is counted as
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


def _nothing() -> None:
    """Nobody listens."""


def _message(opcode: Opcode, data: bytes) -> str | bytes:
    # Text is handed on as the bytes it came in when it is no UTF-8: the decoder says what is wrong with it.
    if opcode is Opcode.BINARY:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
