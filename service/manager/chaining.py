"""Whether this upstream keeps what it was told: `Chaining`.

Owns the lesson of repeated misses. Must never know sessions. Some servers accept an id and have never heard
of it one second later; asking them anew each turn costs a failed request each turn.
"""

from __future__ import annotations

from collections.abc import Callable

MISSES = 3
PAUSE_S = 600.0


class Chaining:
    """Off after `MISSES` lost chains in a row with no held one between; tried again after `PAUSE_S`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._misses = 0
        self._off_until = 0.0

    def __repr__(self) -> str:
        return f"Chaining({'on' if self.supported else 'off'}, {self._misses} misses)"

    @property
    def supported(self) -> bool:
        return self._clock() >= self._off_until

    def held(self) -> None:
        self._misses = 0

    def missed(self) -> None:
        self._misses += 1
        if self._misses >= MISSES:
            self._misses = 0
            self._off_until = self._clock() + PAUSE_S
