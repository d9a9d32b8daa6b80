"""Receive one message of a call, bounded in bytes and in time.

grpc core widens the window of a stream only while a receive is pending, and then for all that the message
announces: up to `grpc.max_receive_message_length`, for as long as the caller likes. A handler that streams
its requests decides for itself whether, and for how long, more than the first 64 KiB are received.

A message normally arrives with its headers. Until the grace is over it needs nothing, and memory is bounded
by what the network brings in that time. A slower one needs one of a few places, for at most a named wait:

    places * (MAX_REQUEST_BYTES + 1 MiB) ≤ 256 MiB, a quarter of the memory of a replica

These are 7 places for the default of 32 MiB, and one tenant may hold 4 of them. Where no place is free, the
call is refused at once: a receive cannot be paused.
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
SLOW_BYTES = 256 * 1024 * 1024
RETRY_AFTER_S = 1.0


class Places:
    """Places for slow messages: `number` in all, `share` of them for one holder."""

    def __init__(self, number: int, share: int | None = None) -> None:
        self._number = number
        self._share = number if share is None else share
        self._held: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Places({self._held.total()} of {self._number} taken)"

    def take(self, holder: str) -> None:
        """Raises OVERLOADED when there is none for this holder."""
        if self._held.total() >= self._number:
            taken = f"all {self._number} places for slow messages are taken"
        elif self._held[holder] >= self._share:
            taken = f"the {self._share} places for slow messages of one tenant are taken"
        else:
            self._held[holder] += 1
            return
        late = f"the message did not arrive within {GRACE_S * 1000:g} ms"
        raise TurnError(Reason.OVERLOADED, f"{late} and {taken}", retry_after=RETRY_AFTER_S)

    def give_back(self, holder: str) -> None:
        self._held[holder] -= 1
        if not self._held[holder]:
            del self._held[holder]


def places_for(max_message_bytes: int) -> Places:
    """At least two, so that one tenant never holds them all."""
    number = max(2, SLOW_BYTES // max_message_bytes)
    return Places(number, (number + 1) // 2)


class Receiver:
    """Receives messages. `late` is the message of the error that ends a wait of `timeout_s`."""

    def __init__(self, places: Places, timeout_s: float, late: str) -> None:
        self.places = places
        self.timeout_s = timeout_s
        self.late = late

    async def receive(self, context: Context, holder: str = "") -> bytes | None:
        """Receive the next message. Returns None when the caller has ended their side.

        Raises OVERLOADED when it is slow and finds no place, TIMEOUT when its place's time is over. A message
        that is there by then counts as received. Cancellation gives the place back.
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
    """What becomes of a message that has not arrived: a place after the grace, an end after the timeout.

    A busy loop may find a timer and the message due in the same round, and calls the timer before the task
    that waits for the message. So what a timer decides, it decides a round later.
    """

    __slots__ = ("_handle", "_holder", "_holds", "_limit", "_loop", "_receiver", "refusal")

    def __init__(self, receiver: Receiver, holder: str, limit: asyncio.Timeout) -> None:
        self.refusal: TurnError | None = None
        self._receiver = receiver
        self._holder = holder
        self._limit = limit
        self._holds = False
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.Handle = self._loop.call_later(GRACE_S, self._next_round, self._enter)

    def end(self) -> None:
        self._handle.cancel()
        if self._holds:
            self._holds = False
            self._receiver.places.give_back(self._holder)

    def _next_round(self, decide: Callable[[], None]) -> None:
        self._handle = self._loop.call_soon(decide)

    def _enter(self) -> None:
        try:
            self._receiver.places.take(self._holder)
        except TurnError as refusal:
            self._refuse(refusal)
            return
        self._holds = True
        refuse = partial(self._refuse, TurnError(Reason.TIMEOUT, self._receiver.late))
        self._handle = self._loop.call_later(self._receiver.timeout_s, self._next_round, refuse)

    def _refuse(self, refusal: TurnError) -> None:
        self.refusal = refusal
        self._limit.reschedule(self._loop.time())
