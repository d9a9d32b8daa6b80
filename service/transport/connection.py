"""One line: a WebSocket to the upstream that outlives its turns.

Owns the socket, its liveness and its backpressure. Must never know what the frames say, or which session a
line serves. The rule that would be broken first: the peer is judged only while we read; a caller who does not
keep up is not its fault.

`websockets` does the protocol. What was received waits in `BufferedConnection`; the library's keepalive,
which takes unread pongs for a dead peer, is replaced by ours, which takes any inbound byte for life.
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
from service.runtime.paced_loop import Pace
from service.telemetry import lines, turns
from service.transport.channel import CLOSE_TIMEOUT_S
from service.transport.close_reason import close_reason
from service.transport.receive_buffer import BufferedConnection, now
from service.wire import error_classifier

ONE_FRAME_BYTES = 16 * 1024 * 1024
"""A larger message goes in fragments. Sent as one frame it is copied five times at once, and the loop waits
0.1 s for each 32 MiB. Up to the default of TRUNKLINE_MAX_FRAME_BYTES it is one frame all the same: that is
what upstreams are known to take.
"""

FRAGMENT_BYTES = 1024 * 1024


NOBODYS = Context()
"""Where a line's timers run: in that of the turn that set them they would keep it as long as they wait."""

PONG_OVERDUE_S = 1.0
"""A ping that waits longer for its answer makes the line unfit, long before it makes it dead."""


class Line:
    """One open WebSocket. One exchange at a time; whoever holds the line for a turn is the manager's
    business.
    """

    _ids = count(1)

    def __init__(
        self,
        connection: BufferedConnection,
        *,
        ping_interval_s: float,
        ping_timeout_s: float,
        expires_at: float,
        pace: Pace | None = None,
    ) -> None:
        self.id = next(self._ids)
        self.opened_at = now()
        self.expires_at = expires_at
        self.received_any = False
        self.by_callers_key = False
        """Opened with a caller's own key: what becomes of it may be that key's fault."""
        self.on_first_message: Callable[[], None] = lambda: None
        self.on_close: Callable[[Line], None] = lambda line: None
        self.dialed: lines.SpanContext | None = None
        self._connection = connection
        self._ping_interval_s = ping_interval_s
        self._ping_timeout_s = ping_timeout_s
        self._pinged_at: float | None = None
        self._dead = False
        self._cut_off = False
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._pace = pace or Pace()
        self._fd = connection.transport.get_extra_info("socket").fileno()
        self._due_at = 0.0
        self._late = False
        self._alarm: asyncio.TimerHandle | None = None
        self._timer = self._loop.call_later(ping_interval_s, self._keep_alive, context=NOBODYS)
        connection.on_data = self._heard
        connection.on_lost = self._lost

    def __repr__(self) -> str:
        return f"Line({self.id}, {'open' if self.open else 'closed'}, {now() - self.opened_at:.0f} s old)"

    @property
    def open(self) -> bool:
        return self._connection.protocol.state is State.OPEN and not self._connection.transport.is_closing()

    @property
    def expired(self) -> bool:
        """Whether no turn will ever run over the line again: it is closed or too old, or has unread words on
        it.
        """
        return not self.open or now() >= self.expires_at or bool(self._connection.messages)

    @property
    def healthy(self) -> bool:
        """Whether the line may carry a turn now: it is not worn, and its peer owes no answer."""
        moment = now()
        owing = self._suspect and self._pinged_at is not None and moment - self._pinged_at > PONG_OVERDUE_S
        silent = moment - self._connection.heard_at > self._ping_interval_s + self._ping_timeout_s
        return not (self.expired or owing or silent)

    async def settle(self) -> None:
        """A line may have died while nobody used it, and the system know what the loop has not read yet.
        Written to, it would make a turn that may have run of one that cannot have. So: ask the system, which
        takes 1 µs, and if something is there, let the loop read it.
        """
        if not self.open:
            return
        arrived = select.poll()
        arrived.register(self._fd, select.POLLIN)
        if arrived.poll(0):
            self._pace.prioritise(self._fd)
            # The first round of the loop finds it, behind this task; in the second it has been read.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def send(self, data: bytes | bytearray, within_s: float) -> None:
        connection = self._connection
        if not self.open:
            raise self._failure()
        self._pace.prioritise(self._fd)
        connection.resting = False
        if len(data) > ONE_FRAME_BYTES:
            await self._send_fragments(data, within_s)
        else:
            connection.protocol.send_text(data)
            await self._written(within_s)
        turns.sent()

    async def _send_fragments(self, data: bytes | bytearray, within_s: float) -> None:
        view = memoryview(data)
        protocol = self._connection.protocol
        protocol.send_text(view[:FRAGMENT_BYTES], fin=False)
        for start in range(FRAGMENT_BYTES, len(data), FRAGMENT_BYTES):
            await self._written(within_s)
            if not self.open:
                raise self._failure()
            end = start + FRAGMENT_BYTES
            protocol.send_continuation(view[start:end], fin=end >= len(data))
        await self._written(within_s)

    async def _written(self, within_s: float) -> None:
        """Hands over what the protocol has, and waits while the peer does not read."""
        connection = self._connection
        connection.send_data()
        if connection.paused:
            async with asyncio.timeout(within_s):
                try:
                    await connection.drain()
                except OSError as exc:
                    raise self._failure() from exc

    async def receive(self, within_s: float, *, may_wait: bool = False) -> list[str | bytes]:
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

    def rest(self) -> None:
        """Wait for the next `send`: nothing is due until then, and a peer that says something is closed on at
        once, since nobody would read it.
        """
        self._connection.resting = True
        if self._connection.messages:
            self.close()

    def discard(self) -> None:
        """Closes the socket now, without a farewell: who is in the middle of an answer learns it at once."""
        self._cut_off = True
        self._connection.transport.abort()

    def close(self, *, going_away: bool = False) -> None:
        """Says farewell and closes, without waiting for an answer; a peer that does not even read gets
        `CLOSE_TIMEOUT_S`.
        """
        self._timer.cancel()
        if self.open:
            code = CloseCode.GOING_AWAY if going_away else CloseCode.NORMAL_CLOSURE
            self._connection.protocol.send_close(code)
            self._connection.send_data()
            self._loop.call_later(CLOSE_TIMEOUT_S, self.discard)
        self._connection.transport.close()

    async def closed(self) -> None:
        """Returns when the socket is gone."""
        await asyncio.shield(self._connection.connection_lost_waiter)

    def _heard(self) -> None:
        if self._connection.resting:
            self.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _set_alarm(self, within_s: float) -> None:
        """The reader waits this long from now. One timer serves many waits: it is set anew when it rings too
        early, not for each read.
        """
        self._late = False
        self._due_at = self._loop.time() + within_s
        if self._alarm is not None and self._alarm.when() > self._due_at:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:
            self._alarm = self._loop.call_at(self._due_at, self._ring, context=NOBODYS)

    def _ring(self) -> None:
        self._alarm = None
        if self._waiter is None or self._waiter.done():
            return  # nobody waits: the next one sets it
        if self._pace.prioritise(self._fd) or self._loop.time() < self._due_at:
            # What came and was not looked at is read before this rings again.
            self._alarm = self._loop.call_at(self._due_at, self._ring, context=NOBODYS)
        else:
            self._late = True
            self._waiter.set_result(None)

    def _lost(self) -> None:
        self._timer.cancel()
        if self._alarm is not None:
            self._alarm.cancel()
        self._wake()
        self.on_close(self)
        too_old = now() >= self.expires_at
        protocol = self._connection.protocol
        lines.closed(close_reason(protocol, dead=self._dead, cut_off=self._cut_off, expired=too_old))

    def _failure(self) -> TurnError:
        protocol = self._connection.protocol
        if self._dead:
            silence = self._ping_interval_s + self._ping_timeout_s
            message = f"the upstream sent nothing for {silence:g} s and answered no ping"
            return TurnError(Reason.CONNECTION_LOST, message)
        by_us = protocol.close_sent is not None and not protocol.close_rcvd_then_sent
        frame = protocol.close_sent if by_us else protocol.close_rcvd
        if frame is None:
            return error_classifier.from_close(None, "")
        if by_us and frame.code in error_classifier.OUR_CLOSES:
            self.received_any = True  # too much, or nonsense: not that nobody is there
        return error_classifier.from_close(frame.code, frame.reason, by_us=by_us)

    @property
    def _suspect(self) -> bool:
        """A ping was sent, and nothing was heard since."""
        return self._pinged_at is not None and self._connection.heard_at <= self._pinged_at

    def _keep_alive(self) -> None:
        """1. We do not read, or have not looked yet: no verdict. 2. Something came: wait on. 3. No answer to
        a ping: dead. 4. Silence: ask.
        """
        silence = now() - self._connection.heard_at
        if not self._connection.reading:
            self._pinged_at = None
            delay = self._ping_interval_s
        elif self._suspect and self._pace.prioritise(self._fd):
            delay = 0.0  # what came and was not looked at is read first
        elif silence < self._ping_interval_s:
            delay = self._ping_interval_s - silence
        elif self._suspect or not self.open:
            self._dead = self._suspect
            self.discard()
            return
        else:
            self._pinged_at = now()
            self._connection.protocol.send_ping(b"trunkline")
            self._connection.send_data()
            delay = self._ping_timeout_s
        self._timer = self._loop.call_later(delay, self._keep_alive, context=NOBODYS)
