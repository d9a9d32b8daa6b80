"""A WebSocket connection that keeps what it has received until it is asked for: `BufferedConnection`.

The theory. `websockets` returns one message per `recv`, from a queue. Here the queue is a list that is taken
all at once and without a task, so deltas that arrived together travel together.

The library's parser is a generator that takes each frame in several steps. Deltas are short unfragmented
texts, so those are split here, directly from what the socket returned, and every other frame is left to the
library, whole and in order. A frame as it arrives (RFC 6455, section 5.2):

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
(docs/decisions/0001-receive-buffer.md).
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
from service.transport.frames import frame_end

HIGH_WATER_BYTES = 64 * 1024
"""Above this, reading pauses until the messages are taken."""

READ_BYTES = 32 * 1024
"""How much is read from the socket at once: a read of 250 bytes takes 4.8 µs of CPU in place of 11, since
asyncio by itself would allocate 256 KiB for each.
"""

_READ_INTO = memoryview(bytearray(READ_BYTES))
"""What all connections read into. Nothing stays in it: asyncio asks for it, reads, and reports the bytes
without running anything in between, and they are copied at once.
"""

PLAIN = 0x80 | Opcode.TEXT
"""The first byte of a text in one frame: FIN is set, no reserved bit is."""

PLAIN_HEADER = 4
"""The longest header that is split here, in bytes: of up to 64 KiB, unmasked. A frame with a longer one is
left to the library, which knows the bounds; so is a text of one byte at the end of a read.
"""

MAX_FRAGMENTS = 1024
FRAGMENT_BYTES = 1024
"""A message may have `MAX_FRAGMENTS` fragments, and one more for each `FRAGMENT_BYTES` of it. Servers cut at
4 KiB or more; 16 MiB in fragments of one byte would take the library two minutes.
"""

MAX_SMALL_FRAMES = 1024
SMALL_BYTES = 16
"""How many small frames one read may hold: pings, pongs, fragments, and messages shorter than `SMALL_BYTES`
(the shortest event is longer). The library takes 10 to 25 µs for each, and a read of 64 KiB
has room for 32,000. Whoever pings once a second while nobody reads gets there in 17 minutes.
"""

SLICE_BYTES = 4 * 1024
"""What is not split here is given to the library in slices, so that it stops at the bound above."""

MAX_UNREAD_PONGS = 1024
"""How many pings are answered, with up to 131 bytes each, while the peer reads nothing that is written."""

STRAY_BYTES = 256
"""More than this without the end of a frame is no control frame: those have at most 139 bytes."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Includes the time that the machine was suspended, where the system counts it: a connection that was silent
as long may be dead.
"""


def now() -> float:
    """Return the time by which connections are judged, in seconds."""
    return time.clock_gettime(_CLOCK)


class BufferedConnection(ClientConnection, asyncio.BufferedProtocol):
    """Keep messages until they are taken, and pause reading when there are many.

    `reading`: the socket is being read. `resting`: no message is due, and `on_data` is also called for the
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
        # The message that is incomplete: its opcode, its data so far, and how many fragments that were.
        self._opcode: Opcode | None = None
        self._fragments = 0
        self._partial = bytearray()
        self._small_frames = 0
        self._unread_pongs = 0
        self._stray_bytes = 0
        self._refused = False
        # The start of the next frame is known only if the handshake ended with a read.
        self._splitting = False
        self._header = b""
        self._owed = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        return _READ_INTO

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(_READ_INTO[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        self.heard_at = now()
        self._small_frames = 0
        if self.resting:
            self._stray_bytes += len(data)
        if self._splitting:
            self._split(data)
        else:
            shaking_hands = self.response is None
            self._pass_on(data)
            if shaking_hands:
                self._splitting = self.response is not None and data.endswith(b"\r\n\r\n")
        if self.messages or (self.resting and (self._opcode or self._stray_bytes > STRAY_BYTES)):
            self.on_data()
            if self._waiting_bytes > HIGH_WATER_BYTES:
                self.pause()
        if self.protocol.state is State.CLOSING:
            # The close frame is sent. Waiting for the peer to disconnect would delay the report.
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
        """Stop reading until `resume` or `take`."""
        if self.reading and not self.transport.is_closing():
            self.reading = False
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read again, unless more than `HIGH_WATER_BYTES` wait or the connection is closing."""
        full = self._waiting_bytes > HIGH_WATER_BYTES
        if not (self.reading or full or self.transport.is_closing()):
            self.reading = True
            self.transport.resume_reading()

    def take(self) -> list[str | bytes]:
        """Return all complete messages, and read on."""
        taken, self.messages, self._waiting_bytes = self.messages, [], 0
        if not self.reading:
            self.resume()
        return taken

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.on_lost()
        # Without these, reference cycles would keep the connection until the garbage collector runs.
        self.on_data = self.on_lost = _nothing
        forget_frames(self.protocol.close_exc)
        forget_frames(self.protocol.handshake_exc)

    def _refuse(self, why: str) -> None:
        """Close with 1008: the peer violates no rule of the protocol, and exceeds a bound."""
        if self._refused:
            return
        self._refused = True
        self.protocol.fail(CloseCode.POLICY_VIOLATION, why)
        self.send_data()
        if self.paused:  # it would never read the close frame
            self.transport.abort()

    def _pass_on(self, data: bytes) -> None:
        """Leave the data to the library, a slice at a time, until a bound is exceeded."""
        for at in range(0, len(data), SLICE_BYTES):
            super().data_received(data[at : at + SLICE_BYTES])
            if self._refused:
                return

    def _split(self, data: bytes) -> None:
        """Take the plain texts, and leave everything else to the library, frame by frame."""
        data, self._header = self._header + data, b""
        at, end = min(self._owed, len(data)), len(data)
        if at:
            self._owed -= at
            super().data_received(data[:at])
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
                self._pass_on(data[at:])
                return
            super().data_received(data[at:stop])
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

    def _collect(self, frame: Frame) -> None:
        self._waiting_bytes += len(frame.data)
        if frame.fin and self._opcode is None:
            self.messages.append(_message(frame.opcode, bytes(frame.data)))
            return
        self._opcode = self._opcode or frame.opcode
        self._partial += frame.data
        self._fragments += 1
        if frame.fin:
            self.messages.append(_message(self._opcode, bytes(self._partial)))
            self._drop_fragments()
        elif self._fragments > MAX_FRAGMENTS + len(self._partial) // FRAGMENT_BYTES:
            self._drop_fragments()
            self._refuse(f"more than {MAX_FRAGMENTS} fragments of a message")

    def _drop_fragments(self) -> None:
        self._opcode, self._fragments, self._partial = None, 0, bytearray()


def _nothing() -> None:
    """Ignore the event."""


def _message(opcode: Opcode, data: bytes) -> str | bytes:
    # Text that is not UTF-8 is returned as bytes: the decoder reports what is wrong with it.
    if opcode is Opcode.BINARY:
        return data
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
