"""How long running answers may gather while the event loop has no time to spare: `Pace`.

Owns that one number, and how the loop's spare time is known: `Idle`. Must never know what gathers. The rule
that would be broken first: as long as there is time to spare, nothing waits. Under more load than that it
grows, so that more deltas travel together, each for less, and new calls get their turn; the first words of an
answer never wait for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from selectors import DefaultSelector, SelectorKey

BUSY = 0.95
"""Share of its time above which the loop has none to spare."""

SPARE = 0.8
"""Below this it can do with a shorter pause. Between the two it is left as it is."""

LONGEST_S = 0.4
"""The bound: what waits this long still arrives within half a second."""

FIRST_S = 0.02
GROWTH = 1.3
DECAY = 0.9
PERIOD_S = 0.1
"""How often it changes, at most: the time that a change needs to show."""

STALE_S = 1.0
"""After so long without a look, what was known says nothing of now."""


class Idle(DefaultSelector):
    """The selector of an event loop, which counts the seconds that it waited."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        began = time.monotonic()
        try:
            return super().select(timeout)
        finally:
            self.waited_s += time.monotonic() - began


class Pace:
    """`hold_s`: how long a running answer may gather, in seconds, before it is read again.

    `waited` tells for how many seconds the loop had nothing to do, so far; None: nobody knows, and nothing
    ever gathers.
    """

    __slots__ = ("_since", "_waited", "_waited_s", "hold_s")

    def __init__(self, waited: Callable[[], float] | None = None) -> None:
        self.hold_s = 0.0
        self._waited = waited
        self._waited_s = 0.0
        self._since = 0.0

    def __repr__(self) -> str:
        return f"Pace({self.hold_s:g} s)"

    def look(self, now: float) -> None:
        """Told at each read, looks now and then. `now`: of a clock that never goes back."""
        elapsed = now - self._since
        if elapsed < PERIOD_S or self._waited is None:
            return
        waited = self._waited()
        busy = 1 - (waited - self._waited_s) / elapsed
        if elapsed > STALE_S:
            self.hold_s = 0.0
        elif busy > BUSY:
            self.hold_s = min(max(self.hold_s * GROWTH, FIRST_S), LONGEST_S)
        elif busy < SPARE:
            self.hold_s = self.hold_s * DECAY if self.hold_s > FIRST_S else 0.0
        self._since, self._waited_s = now, waited
