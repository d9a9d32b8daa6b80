"""Receive one message of a call, bounded in bytes and in time.

Theory. grpc core widens the flow-control window of a stream only while a receive is pending, and then by
all that the message announces: up to `grpc.max_receive_message_length`, for as long as the caller likes. A
handler that streams its requests decides itself whether, and for how long, more than the first 64 KiB are
received.

A message normally arrives with its headers. During the first `GRACE_S` it needs nothing, and memory is
bounded by what the network delivers in that time. After that a message needs one of a few slots, for at
most a named timeout. Without a free slot the call is refused at once, because a receive cannot be paused:

    0 ms     read() is pending
    50 ms    not there yet: acquire a slot, or refuse with OVERLOADED
    + limit  still not there: refuse with TIMEOUT and release the slot

The number of slots bounds the memory that slow messages can hold:

    slots * (MAX_REQUEST_BYTES + 1 MiB) ≤ 256 MiB, a quarter of the memory of a replica

Example: for the default of 32 MiB there are 7 slots (7 * 33 MiB = 231 MiB), and one tenant may hold 4.

The grace is for the network, not for this process. Where a CPU limit stops the process for 100 ms, the loop
finds its timers due before grpc's thread has read the messages that came meanwhile, and would refuse all but
4 calls of a burst. So the grace passes in steps, one timer after the other: such a stop uses up one step.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

import grpc

from service.domain.errors import Reason, TurnError
from service.rpc.failure import Context

GRACE_S = 0.05
GRACE_STEPS = 5
SLOW_BYTES = 256 * 1024 * 1024
RETRY_AFTER_S = 1.0


class Slots:
    """Slots for slow messages: `number` in all, `share` for one holder. Errors and docs call them places."""

    def __init__(self, number: int, share: int | None = None) -> None:
        self._number = number
        self._share = number if share is None else share
        self._held: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Slots({self._held.total()} of {self._number} taken)"

    def acquire(self, holder: str) -> None:
        """Take a slot. Raises OVERLOADED when there is none for this holder."""
        if self._held.total() >= self._number:
            taken = f"all {self._number} places for slow messages are taken"
        elif self._held[holder] >= self._share:
            taken = f"the {self._share} places for slow messages of one tenant are taken"
        else:
            self._held[holder] += 1
            return
        late = f"the message did not arrive within {GRACE_S * 1000:g} ms"
        raise TurnError(Reason.OVERLOADED, f"{late} and {taken}", retry_after=RETRY_AFTER_S)

    def release(self, holder: str) -> None:
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]


def slots_for(max_message_bytes: int) -> Slots:
    """Return the slots for messages of this size: at least two, so that one tenant never holds all."""
    number = max(2, SLOW_BYTES // max_message_bytes)
    return Slots(number, (number + 1) // 2)


class Receiver:
    """Receive messages. `late` is the error message when a slot's `timeout_s` has passed.

    `on_refused` is called when a message was refused of which much may have been received.
    """

    def __init__(
        self, slots: Slots, timeout_s: float, late: str, on_refused: Callable[[], object] = bool
    ) -> None:
        self.on_refused = on_refused
        self.slots = slots
        self.timeout_s = timeout_s
        self.late = late

    async def receive(self, context: Context, holder: str = "") -> bytes | None:
        """Receive the next message. Returns None when the caller has half-closed the stream.

        Raises OVERLOADED when the message is slow and no slot is free, TIMEOUT when its slot's time is over;
        a message that has arrived by then counts as received. Cancellation releases the slot.
        """
        wait: _Wait | None = None
        try:
            async with asyncio.timeout(None) as limit:
                wait = _Wait(self, holder, limit)
                try:
                    message = await context.read()
                finally:
                    wait.end()
        except TimeoutError:
            if wait is None or wait.refusal is None:
                raise
            raise wait.refusal from None
        return None if message is grpc.aio.EOF else message  # type: ignore[attr-defined]  # missing in its stubs


class _Wait:
    """Time the wait for one message: acquire a slot after the grace, refuse after the timeout.

    A busy event loop may find a timer and the message due in the same iteration, and runs the timer before
    the task that waits for the message. So a timer only schedules its decision for the next iteration; if the
    message is there by then, `end` cancels the decision.
    """

    __slots__ = ("_handle", "_holder", "_holds", "_limit", "_loop", "_receiver", "_steps", "refusal")

    def __init__(self, receiver: Receiver, holder: str, limit: asyncio.Timeout) -> None:
        self.refusal: TurnError | None = None
        self._receiver = receiver
        self._holder = holder
        self._limit = limit
        self._holds = False
        self._loop = asyncio.get_running_loop()
        self._steps = GRACE_STEPS
        self._handle: asyncio.Handle = self._loop.call_later(GRACE_S / GRACE_STEPS, self._step)

    def end(self) -> None:
        self._handle.cancel()
        if self._holds:
            self._holds = False
            self._receiver.slots.release(self._holder)

    def _step(self) -> None:
        self._steps -= 1
        if self._steps:
            self._handle = self._loop.call_later(GRACE_S / GRACE_STEPS, self._step)
        else:
            self._next_iteration(self._acquire)

    def _next_iteration(self, decide: Callable[[], None]) -> None:
        self._handle = self._loop.call_soon(decide)

    def _acquire(self) -> None:
        try:
            self._receiver.slots.acquire(self._holder)
        except TurnError as refusal:
            self._refuse(refusal)
            return
        self._holds = True
        refuse = partial(self._refuse, TurnError(Reason.TIMEOUT, self._receiver.late))
        self._handle = self._loop.call_later(self._receiver.timeout_s, self._next_iteration, refuse)

    def _refuse(self, refusal: TurnError) -> None:
        self.refusal = refusal
        self._receiver.on_refused()
        self._limit.reschedule(self._loop.time())
