"""One WebSocket connection to the upstream, which serves many turns, one after the other: `Connection`.

`websockets` implements the protocol, and `BufferedConnection` keeps what was received. One timer replaces the
library's keepalive, which takes an unread pong for a dead peer: a slow caller pauses reading, of pongs as
well. The first state that applies counts:

| state when the timer fires                          | what follows                                         |
|-----------------------------------------------------|------------------------------------------------------|
| reading is paused                                   | no judgement; again after `ping_interval_s`          |
| a ping is unanswered, the socket was throttled      | read first, then judge                               |
| something was received within `ping_interval_s`     | again when that much silence has passed              |
| a ping is unanswered, not yet for `ping_timeout_s`  | again then, or after `ping_interval_s` if sooner     |
| a ping is unanswered, or the connection is closed   | the peer is dead: the socket is closed               |
| silence                                             | a ping; again after the shorter of the two           |

Any byte counts as an answer. With 20 s and 20 s, an idle peer that disappears is pinged after 20 s and dead
after 40 s; from `PONG_OVERDUE_S` after its ping the connection carries no new turn.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from contextvars import Context
from itertools import count

from websockets.frames import CloseCode
from websockets.protocol import State

from service.domain.errors import Reason, TurnError
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.channel import CLOSE_TIMEOUT_S
from service.transport.close_reason import close_error, close_reason
from service.transport.pace import Pace, Unpaced
from service.transport.receive_buffer import BufferedConnection, now
from service.wire.idle_words import IdleWords

ONE_FRAME_BYTES = 16 * 1024 * 1024
"""A larger message is sent in fragments: as one frame it is copied five times at once, 0.1 s per 32 MiB. Up
to the default of TRUNKLINE_MAX_FRAME_BYTES it is one frame, which upstreams are known to accept.
"""

FRAGMENT_BYTES = 1024 * 1024

EMPTY_CONTEXT = Context()
"""The context of a connection's timers: that of the turn which starts them would keep its objects alive."""

PONG_OVERDUE_S = 1.0
"""A connection whose ping is unanswered this long carries no new turn."""


class Connection:
    """Carry one exchange at a time over an open WebSocket; the pool says which."""

    _ids = count(1)

    def __init__(
        self,
        connection: BufferedConnection,
        *,
        ping_interval_s: float,
        ping_timeout_s: float,
        expires_at: float,
        pace: Pace | None = None,
        telemetry: Telemetry = OFF,
    ) -> None:
        self.id = next(self._ids)
        self.opened_at = now()
        self.expires_at = expires_at
        self.sent_at: float | None = None
        self.received_any = False
        self.by_callers_key = False
        """Opened with a caller's own key: its failures may be caused by that key."""
        self.on_first_message: Callable[[], None] = lambda: None
        self.on_close: Callable[[Connection], None] = lambda line: None
        self.dialed: object | None = None
        self._connection = connection
        self._ping_interval_s = ping_interval_s
        self._ping_timeout_s = ping_timeout_s
        self._pinged_at: float | None = None
        self._dead = self._cut_off = False
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._pace = pace or Unpaced()
        self._telemetry = telemetry
        self._fd = connection.transport.get_extra_info("socket").fileno()
        self._deadline = 0.0
        self._late = False
        self._idle_words = IdleWords()
        self._alarm: asyncio.TimerHandle | None = None
        self._timer = self._loop.call_later(ping_interval_s, self._keep_alive, context=EMPTY_CONTEXT)
        connection.on_data = self._on_data
        connection.on_lost = self._on_lost

    def __repr__(self) -> str:
        state = "open" if self.open else "closed"
        return f"Connection({self.id}, {state}, {now() - self.opened_at:.0f} s old)"

    @property
    def open(self) -> bool:
        return self._connection.protocol.state is State.OPEN and not self._connection.transport.is_closing()

    @property
    def expired(self) -> bool:
        """Whether no turn may use the connection any more: it is closed, too old, or has unread messages."""
        return not self.open or now() >= self.expires_at or bool(self._connection.messages)

    @property
    def healthy(self) -> bool:
        """Whether the connection may carry a turn now: it is not expired, and no ping is overdue."""
        moment = now()
        owing = self._suspect and self._pinged_at is not None and moment - self._pinged_at > PONG_OVERDUE_S
        silent = moment - self._connection.heard_at > self._ping_interval_s + self._ping_timeout_s
        return not (self.expired or owing or silent)

    @property
    def heard_at(self) -> float:
        return self._connection.alive_at

    async def settle(self) -> None:
        """Let the loop read what has already arrived, so that `open` is current.

        A connection may have been closed while idle without the loop having read that. Written to, it would
        turn a request that cannot have run into one that may have. The system is asked first, in 1 µs.
        """
        if not self.open:
            return
        arrived = select.poll()
        arrived.register(self._fd, select.POLLIN)
        if arrived.poll(0):
            self._pace.prioritise(self._fd)
            for _ in range(2):  # the loop's first round finds it, after this task; the second has read it
                await asyncio.sleep(0)

    async def send(self, data: bytes | bytearray, within_s: float) -> None:
        """Write one text message; see `Channel.send`."""
        connection = self._connection
        self.sent_at = None
        if not self.open:
            raise self._failure()
        self._pace.prioritise(self._fd)
        connection.resting = False
        if len(data) > ONE_FRAME_BYTES:
            await self._send_fragments(data, within_s)
        else:
            connection.protocol.send_text(data)
            await self._written(within_s)
        self.sent_at = now()

    async def _send_fragments(self, data: bytes | bytearray, within_s: float) -> None:
        view, protocol = memoryview(data), self._connection.protocol
        protocol.send_text(view[:FRAGMENT_BYTES], fin=False)
        for start in range(FRAGMENT_BYTES, len(data), FRAGMENT_BYTES):
            await self._written(within_s)
            if not self.open:
                raise self._failure()
            end = start + FRAGMENT_BYTES
            protocol.send_continuation(view[start:end], fin=end >= len(data))
        await self._written(within_s)

    async def _written(self, within_s: float) -> None:
        """Write what the protocol has produced, and wait while the peer does not read."""
        connection = self._connection
        connection.send_data()
        if connection.paused:
            async with asyncio.timeout(within_s):
                try:
                    await connection.drain()
                except OSError as exc:
                    raise self._failure() from exc

    async def receive(self, within_s: float, *, may_wait: bool = False) -> list[str | bytes]:
        """Return all messages that have arrived, at least one; see `Channel.receive`."""
        connection = self._connection
        while not connection.messages:
            if not self.open:
                raise self._failure()
            if may_wait:
                self._pace.throttle(self._fd)
            self._set_alarm(within_s)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
            if self._late and not connection.messages:
                raise TimeoutError
        if not self.received_any:
            self.received_any = True
            self.on_first_message()
        return connection.take()

    async def finish(self, *, orderly: bool) -> None:
        """Do nothing: the lease decides what becomes of the connection."""

    def rest(self) -> None:
        """Mark the connection idle until the next `send`: a message meanwhile closes it unless harmless."""
        self._connection.resting = True
        if self._connection.messages:
            self._overhear()

    def discard(self) -> None:
        """Close the socket now, without a close frame: a peer in the middle of an answer notices at once."""
        self._cut_off = True
        self._connection.transport.abort()

    def close(self, *, going_away: bool = False) -> None:
        """Send a close frame and close, without waiting for the peer's; it may take `CLOSE_TIMEOUT_S`."""
        self._timer.cancel()
        if self.open:
            code = CloseCode.GOING_AWAY if going_away else CloseCode.NORMAL_CLOSURE
            self._connection.protocol.send_close(code)
            self._connection.send_data()
            self._loop.call_later(CLOSE_TIMEOUT_S, self.discard)
        self._connection.transport.close()

    async def closed(self) -> None:
        """Wait until the socket is closed."""
        await self._connection.wait_closed()

    def _on_data(self) -> None:
        if self._connection.resting:
            self._overhear()
        self._wake()

    def _overhear(self) -> None:
        words = self._connection.take()
        if not words or not self._idle_words.take(words):
            self.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _set_alarm(self, within_s: float) -> None:
        """Bound the reader's wait. One timer serves many: it is set again only when it fires too early."""
        self._late = False
        self._deadline = self._loop.time() + within_s
        if self._alarm is not None and self._alarm.when() > self._deadline:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:
            self._alarm = self._loop.call_at(self._deadline, self._on_alarm, context=EMPTY_CONTEXT)

    def _on_alarm(self) -> None:
        self._alarm = None
        if self._waiter is None or self._waiter.done():
            return  # no reader waits: the next one sets the timer
        if self._pace.prioritise(self._fd) or self._loop.time() < self._deadline:
            # What has arrived and was not polled is read before the timer fires again.
            self._alarm = self._loop.call_at(self._deadline, self._on_alarm, context=EMPTY_CONTEXT)
        else:
            self._late = True
            self._waiter.set_result(None)

    def _on_lost(self) -> None:
        self._timer.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        self._wake()
        self.on_close(self)
        protocol, expired = self._connection.protocol, now() >= self.expires_at
        reason = close_reason(protocol, dead=self._dead, cut_off=self._cut_off, expired=expired)
        self._telemetry.closed(reason)

    def _failure(self) -> TurnError:
        silence_s = self._ping_interval_s + self._ping_timeout_s if self._dead else 0.0
        error = close_error(self._connection.protocol, silence_s)
        self.received_any |= error.reason is Reason.PROTOCOL_ERROR  # an invalid or too large message is one
        return error

    @property
    def _suspect(self) -> bool:
        """Whether nothing was received since the last ping."""
        return self._pinged_at is not None and self._connection.heard_at <= self._pinged_at

    def _keep_alive(self) -> None:
        """Judge the peer; the table at the top of the module."""
        silence = now() - self._connection.heard_at
        left = (self._pinged_at or 0.0) + self._ping_timeout_s - now()
        if not self._connection.reading:
            self._pinged_at = None
            delay = self._ping_interval_s
        elif self._suspect and self._pace.prioritise(self._fd):
            delay = 0.0  # what has arrived and was not polled is read first
        elif silence < self._ping_interval_s:
            delay = self._ping_interval_s - silence
        elif self._suspect and self.open and left > 0:
            delay = min(left, self._ping_interval_s)
        elif self._suspect or not self.open:
            self._dead = self._suspect
            self.discard()
            return
        else:
            self._pinged_at = now()
            self._connection.protocol.send_ping(b"trunkline")
            self._connection.send_data()
            delay = min(self._ping_timeout_s, self._ping_interval_s)
        self._timer = self._loop.call_later(delay, self._keep_alive, context=EMPTY_CONTEXT)
