"""How often running answers are looked at: `Pace`, and the event loop's selector that keeps it.

Owns how busy the loop is, the pause between two looks, and which sockets it holds for. Must never know what
they carry. The rule that would be broken first: while the loop has time to spare, nothing waits, and whatever
is not a running answer (a new call, an answer's first words) never does.

Each wake-up costs, and each write of an answer. So a busy loop looks at all running answers together, each
few milliseconds; and one that has no time left looks at them seldom, so that deltas gather and travel as one.
Of those that wait it takes a few at a time, since what is new has to get in between.
"""

from __future__ import annotations

import os
import time
from collections import deque
from itertools import islice
from selectors import DefaultSelector, SelectorKey
from typing import Any

BUSY = 0.3
"""Share of its time above which wake-ups are shared; QUIET is that up to which nothing waits."""

QUIET = 0.15

SHARED_S = 0.004
"""The pause while wake-ups are shared: nobody sees it, and at 50 streams it serves ten deltas."""

FULL = 0.95
"""Share of its time above which the loop has none to spare: the pause grows."""

SPARE = 0.8
"""Below this it can do with a shorter one, by as much as it is below. Between the two it is left as it is."""

FIRST_S = 0.02
LONGEST_S = 0.4
"""The bound: what waits this long still arrives within half a second."""

GROWTH = 1.3
PERIOD_S = 0.1
"""How often the pause changes, at most: the time that a change needs to show. And only when it is time for a
look: much work follows on one, and then little.
"""

AT_ONCE = 4
"""So many running answers a full loop tells before it looks for what is new: a millisecond or so."""

PASSED = 8
"""So many rounds of the loop, in which there was something new, they let pass."""

RETURNED = 200
"""So many sockets at a time wake the loop again when it is quiet: there may be thousands."""

_let_others = getattr(os, "sched_yield", lambda: None)
"""The thread that hands on what is new shares the core, and would otherwise wait for a pause of the loop."""


def pause(now_s: float, busy: float) -> float:
    """The pause that follows `now_s`, in seconds, behind a period of which the share `busy` was used."""
    if busy > FULL:
        return min(max(now_s * GROWTH, FIRST_S), LONGEST_S)
    if busy <= QUIET:
        return 0.0
    if now_s > SHARED_S:
        return max(now_s * min(busy / SPARE, 1.0), SHARED_S)
    return SHARED_S if now_s or busy > BUSY else 0.0


class Pace:
    """`hold_s`: the pause, in seconds. Where nobody keeps it, it is 0, and nothing waits."""

    hold_s = 0.0

    def defer(self, fd: int) -> None:
        """A running answer comes over this socket: it may wait for the next look."""

    def prefer(self, fd: int) -> bool:
        """What comes over it next is awaited. Returns whether it was deferred: something may have come."""
        return False


class PacedSelector(DefaultSelector, Pace):
    """Two classes of sockets: those that wake the loop, and deferred ones, which it looks at when it is time.

    A socket is deferred as long as it is registered: closed, or no longer read, it is not any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self._deferred = DefaultSelector()
        self._fds: set[int] = set()
        self._ready: deque[tuple[int, int]] = deque()
        self._look_at = 0.0
        self._passed = 0
        self._waited_s = 0.0
        self._judged_at = time.monotonic()
        self._judged_waited_s = 0.0

    def defer(self, fd: int) -> None:
        if not self.hold_s or fd in self._fds:
            return
        try:
            key = super().unregister(fd)
        except KeyError:
            return  # it is not read at present
        self._fds.add(fd)
        self._deferred.register(fd, key.events, key.data)

    def prefer(self, fd: int) -> bool:
        if fd not in self._fds:
            return False
        key = self.unregister(fd)
        self.register(fd, key.events, key.data)
        return True

    def unregister(self, fileobj: Any) -> SelectorKey:
        try:
            return super().unregister(fileobj)
        except KeyError:
            key = self._deferred.unregister(fileobj)
            self._fds.discard(key.fd)
            return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        try:
            return super().modify(fileobj, events, data)
        except KeyError:
            return self._deferred.modify(fileobj, events, data)

    def get_key(self, fileobj: Any) -> SelectorKey:
        try:
            return super().get_key(fileobj)
        except KeyError:
            return self._deferred.get_key(fileobj)

    def close(self) -> None:
        self._deferred.close()
        super().close()

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        now = time.monotonic()
        if not self._ready and now >= self._look_at:
            if now - self._judged_at > PERIOD_S:
                self._judge(now)
            if self._fds:
                self._look_at = now + self.hold_s
                self._ready.extend((key.fd, events) for key, events in self._deferred.select(0))
        if self._ready:
            return self._between(timeout)
        if self._fds:
            pause_s = self._look_at - now
            timeout = pause_s if timeout is None else min(timeout, pause_s)
        found = super().select(timeout)
        if timeout != 0:  # or it did not wait, but asked in between
            self._waited_s += time.monotonic() - now
        return found

    def _between(self, timeout: float | None) -> list[tuple[SelectorKey, int]]:
        """What is new, and in between some of those that wait: all of them, or few if the loop is full."""
        if self.hold_s <= SHARED_S:
            return super().select(0) + self._some(len(self._ready))
        if timeout != 0:
            _let_others()
        found = super().select(0)
        self._passed += 1
        if self._passed <= PASSED and (timeout == 0 or found):
            return found
        self._passed = 0
        return found + self._some(AT_ONCE)

    def _some(self, number: int) -> list[tuple[SelectorKey, int]]:
        """Each is asked again for what it waits for: much may have happened since."""
        found: list[tuple[SelectorKey, int]] = []
        while self._ready and len(found) < number:
            fd, events = self._ready.popleft()
            if fd in self._fds:
                key = self._deferred.get_key(fd)
                found.append((key, key.events & events))
        return found

    def _judge(self, now: float) -> None:
        waited = self._waited_s - self._judged_waited_s
        self.hold_s = pause(self.hold_s, 1 - waited / (now - self._judged_at))
        self._judged_at, self._judged_waited_s = now, self._waited_s
        if self._fds and not self.hold_s:
            for fd in list(islice(self._fds, RETURNED)):
                self.prefer(fd)
            self.hold_s = SHARED_S if self._fds else 0.0
