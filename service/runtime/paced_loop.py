"""Poll the sockets of running answers less often while the event loop is busy.

The theory. Each wake-up of the loop costs as much as the delta that it is for, and so does each write of an
answer. A loop with time to spare wakes for each delta: nothing is saved by waiting. A busy loop polls all
running answers together at intervals (the delay), so that one wake-up serves many. A full loop has to do less
per delta: with a longer delay deltas gather on the socket and leave as one message.

The mode follows from the share of the last period (`PERIOD_S`) that the loop did not spend waiting:

| mode | entered                  | delay                                       | answers in one round |
|------|--------------------------|---------------------------------------------|----------------------|
| idle | share <= `QUIET`         | 0: nothing waits                            | all that are ready   |
| busy | share > `BUSY`           | `SHARED_S`                                  | all that are ready   |
| full | share > `FULL`           | from `FIRST_S`, times `GROWTH` each period, | `ANSWERS_PER_ROUND`  |
|      |                          | at most `LONGEST_S`                         |                      |

Between `QUIET` and `BUSY` the mode stays as it is, since a shared wake-up makes the loop less busy: with one
threshold it would switch to and fro. A full loop leaves its delay as it is while its share is between `SPARE`
and `FULL`, and below `SPARE` shortens it in proportion, down to `SHARED_S`. Example: a delay of 400 ms after
a period at 40 % becomes 400 * 0.4 / 0.8 = 200 ms.

Only running answers are throttled. What is new (a call, the first content of an answer, the answer to a ping)
is prioritised: it wakes the loop in every mode, and a full loop polls for it between two rounds of answers.

Measured: at 1,000 streams of 50 deltas/s on one core, 98.0 % of the deltas arrive within 500 ms and TTFT p99
is 82 ms; without it 94.1 % and 1,015 ms (docs/decisions/0013-paced-loop.md).
"""

from __future__ import annotations

import os
import time
from collections import deque
from itertools import islice
from selectors import DefaultSelector, SelectorKey
from typing import Any

BUSY = 0.3
"""Share of its time above which the loop shares wake-ups."""

QUIET = 0.15
"""Share of its time up to which nothing waits."""

SHARED_S = 0.004
"""The delay of a busy loop: too short to be seen, and at 50 streams it serves ten deltas."""

FULL = 0.95
"""Share of its time above which the loop has none to spare: the delay grows."""

SPARE = 0.8
"""Share of its time below which the delay shrinks."""

FIRST_S = 0.02
LONGEST_S = 0.4
"""The bound: what waits this long still arrives within half a second."""

GROWTH = 1.3
PERIOD_S = 0.1
"""How often the delay changes at most: a change needs this long to show. It changes only when a poll is due,
since much work follows on a poll, and then little: half of that cycle would mislead.
"""

ANSWERS_PER_ROUND = 4
"""How many running answers a full loop serves before it polls for what is new: about a millisecond."""

MAX_PASSED = 8
"""For how many rounds with something new the throttled answers are passed over."""

RELEASED_PER_PERIOD = 200
"""How many sockets wake the loop again in one period once it is idle: there may be thousands."""

_yield_core = getattr(os, "sched_yield", lambda: None)
"""Lets grpc's thread, which hands over new calls, have the core that it shares with the loop: otherwise it
waits until the loop does.
"""


def next_delay(delay_s: float, busy: float) -> float:
    """Return the delay that follows `delay_s` after a period of which the share `busy` was used; seconds."""
    if busy > FULL:
        return min(max(delay_s * GROWTH, FIRST_S), LONGEST_S)
    if busy <= QUIET:
        return 0.0
    if delay_s > SHARED_S:
        return max(delay_s * min(busy / SPARE, 1.0), SHARED_S)
    return SHARED_S if delay_s or busy > BUSY else 0.0


class PacedSelector(DefaultSelector):
    """Keep two sets of sockets: those that wake the loop, and throttled ones, which are polled at intervals.

    A socket is throttled only while it is registered: asyncio unregisters what it closes or stops reading,
    and the number may belong to another socket afterwards.

    `delay_s`: the interval between two polls of the throttled ones, in seconds; 0: none is throttled.
    """

    delay_s = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._throttled = DefaultSelector()
        self._fds: set[int] = set()
        self._ready: deque[tuple[int, int]] = deque()
        self._poll_at = 0.0
        self._passed = 0
        self._waited_s = 0.0
        self._updated_at = time.monotonic()
        self._updated_waited_s = 0.0

    def throttle(self, fd: int) -> None:
        """Let what arrives on this socket wait for the next poll, unless nothing waits now."""
        if not self.delay_s or fd in self._fds:
            return
        try:
            key = super().unregister(fd)
        except KeyError:
            return  # reading is paused: it is not registered
        self._fds.add(fd)
        self._throttled.register(fd, key.events, key.data)

    def prioritise(self, fd: int) -> bool:
        """Let what arrives on this socket wake the loop. Return whether it was throttled."""
        if fd not in self._fds:
            return False
        key = self.unregister(fd)
        self.register(fd, key.events, key.data)
        return True

    def unregister(self, fileobj: Any) -> SelectorKey:
        try:
            return super().unregister(fileobj)
        except KeyError:
            key = self._throttled.unregister(fileobj)
            self._fds.discard(key.fd)
            return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        try:
            return super().modify(fileobj, events, data)
        except KeyError:
            return self._throttled.modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> SelectorKey:
        try:
            return super().get_key(fileobj)
        except KeyError:
            return self._throttled.get_key(fileobj)

    def close(self) -> None:
        self._throttled.close()
        super().close()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        now = time.monotonic()
        if not self._ready and now >= self._poll_at:
            if now - self._updated_at > PERIOD_S:
                self._update_delay(now)
            if self._fds:
                self._poll_at = now + self.delay_s
                self._ready.extend((key.fd, events) for key, events in self._throttled.select(0))
        if self._ready:
            return self._interleave(timeout)
        if self._fds:
            until_poll_s = self._poll_at - now
            timeout = until_poll_s if timeout is None else min(timeout, until_poll_s)
        found = super().select(timeout)
        if timeout != 0:  # with 0 it polls between two callbacks and does not wait
            self._waited_s += time.monotonic() - now
        return found

    def _interleave(self, timeout: float | None) -> list[tuple[SelectorKey, int]]:
        """Return what is new and throttled sockets that are ready: all, or a few if the loop is full."""
        if self.delay_s <= SHARED_S:
            return super().select(0) + self._take_ready(len(self._ready))
        if timeout != 0:
            _yield_core()
        found = super().select(0)
        self._passed += 1
        if self._passed <= MAX_PASSED and (timeout == 0 or found):
            return found
        self._passed = 0
        return found + self._take_ready(ANSWERS_PER_ROUND)

    def _take_ready(self, number: int) -> list[tuple[SelectorKey, int]]:
        """Return at most `number` sockets, each with the events that it is still registered for."""
        found: list[tuple[SelectorKey, int]] = []
        while self._ready and len(found) < number:
            fd, events = self._ready.popleft()
            if fd in self._fds:
                key = self._throttled.get_key(fd)
                found.append((key, key.events & events))
        return found

    def _update_delay(self, now: float) -> None:
        waited = self._waited_s - self._updated_waited_s
        self.delay_s = next_delay(self.delay_s, 1 - waited / (now - self._updated_at))
        self._updated_at, self._updated_waited_s = now, self._waited_s
        if self._fds and not self.delay_s:
            for fd in list(islice(self._fds, RELEASED_PER_PERIOD)):
                self.prioritise(fd)
            self.delay_s = SHARED_S if self._fds else 0.0
