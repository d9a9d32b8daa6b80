"""A WebSocket connection that keeps what it has received until it is asked for: `BufferedConnection`.

The theory. `websockets` returns one message per `recv`, from a queue. Here the queue is a list that is taken
all at once and without a task, so deltas that arrived together travel together.
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
"""Above this, reading pauses until the messages are taken."""

READ_BYTES = 32 * 1024
"""How much is read from the socket at once: a read of 250 bytes takes 4.8 µs of CPU in place of 11, since
asyncio by itself would allocate 256 KiB for each.
"""

_READ_INTO = memoryview(bytearray(READ_BYTES))
"""What all connections read into. Nothing stays in it: asyncio asks for it, reads, and reports the bytes
without running anything in between, and they are copied at once.
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
"""What the library parses is given to it in slices, so that it stops at the bound above."""

MAX_UNREAD_PONGS = 1024
"""How many pings are answered, with up to 131 bytes each, while the peer reads nothing that is written."""

IDLE_MESSAGE_BYTES = 64 * 1024
"""A message on one of thousands of idle connections, kept until it is complete, may be this long."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Includes the time that the machine was suspended, where the system counts it: a connection that was silent
as long may be dead.
"""


def now() -> float:
    """Return the time by which connections are judged, in seconds."""
    return time.clock_gettime(_CLOCK)


class BufferedConnection(ClientConnection, asyncio.BufferedProtocol):
    """Keep messages until they are taken, and pause reading when there are many.

    `heard_at`: when anything was received; `alive_at`: a whole frame, unless it was an answer to a ping.
    `reading`: the socket is being read. `resting`: no message is due, and `on_data` is also called, with
    nothing to take, for one that is too long.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.messages: list[str | bytes] = []
        self.heard_at = self.alive_at = now()
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

    def get_buffer(self, sizehint: int) -> memoryview:
        return _READ_INTO

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(_READ_INTO[:nbytes].tobytes())

    def data_received(self, data: bytes) -> None:
        self.heard_at = now()
        self._small_frames = 0
        if self.resting:
            self._stray_bytes += len(data)
        self._feed(data)
        if self.messages or (self.resting and self._stray_bytes + len(self._partial) > IDLE_MESSAGE_BYTES):
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
        if event.opcode is not Opcode.PONG:
            self.alive_at = self.heard_at
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
        taken, self.messages = self.messages, []
        self._waiting_bytes = self._stray_bytes = 0
        self.alive_at = self.heard_at
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

    def _feed(self, data: bytes) -> None:
        """Leave the data to the library, a slice at a time, until a bound is exceeded."""
        for at in range(0, len(data), SLICE_BYTES):
            self._parse(data[at : at + SLICE_BYTES])
            if self._refused:
                return

    def _parse(self, data: bytes) -> None:
        super().data_received(data)

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
