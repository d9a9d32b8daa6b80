"""How long running answers may gather while the event loop is late: `Pace`.

Owns that one number. Must never know what gathers. It is zero as long as the loop is on time, and nothing
waits; under more load than the loop can carry delta by delta it grows, so that more deltas travel together,
each for less, and every stream gets its turn. The first words of an answer never wait for it.
"""

from __future__ import annotations

LATE_S = 0.0015
"""A frame that waits longer than this for its reader says that the loop has more to do than time."""

LONGEST_S = 0.3
"""The bound: what waits this long, and is then late, still arrives within half a second."""

FIRST_S = 0.02
GROWTH = 1.3
DECAY = 0.9
PERIOD_S = 0.1
"""How often it changes, at most: the time that a change needs to show."""

STALE_S = 1.0
"""What was seen longer ago says nothing of now."""


class Pace:
    """`hold_s`: how long a running answer may gather, in seconds, since it was read last."""

    __slots__ = ("_reads", "_since", "_waited_s", "hold_s")

    def __init__(self) -> None:
        self.hold_s = 0.0
        self._since = 0.0
        self._reads = 0
        self._waited_s = 0.0

    def __repr__(self) -> str:
        return f"Pace({self.hold_s:g} s)"

    def saw(self, waited_s: float, now: float) -> None:
        """A frame waited so long, from its arrival to its reader. `now`: of a clock that never goes back."""
        self._reads += 1
        self._waited_s += waited_s
        if now - self._since < PERIOD_S:
            return
        late = self._waited_s / self._reads
        if now - self._since > STALE_S:
            self.hold_s = 0.0
        elif late > LATE_S:
            self.hold_s = min(max(self.hold_s * GROWTH, FIRST_S), LONGEST_S)
        elif late < LATE_S / 2:
            self.hold_s = self.hold_s * DECAY if self.hold_s > FIRST_S else 0.0
        self._since, self._reads, self._waited_s = now, 0, 0.0
