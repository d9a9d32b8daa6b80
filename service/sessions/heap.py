"""Choose when freed memory is returned to the system: `Heap`.

The way to return it is an argument (`runtime/memory.py`). It takes 1 to 3 ms for 100 MiB, during which the
event loop waits, so it is used only after large turns and refused requests.
"""

from __future__ import annotations

from collections.abc import Callable

LARGE_BYTES = 1024 * 1024
"""Turns that carry less leave too little to return."""

TRIMS = 3
"""How many times memory is returned after a large turn. What it held is free only when its caller has the
last of it: an error with the answer so far is written after the turn has ended.
"""


class Heap:
    """Return the memory of large turns to the system. `trim` does so, and returns whether there was any."""

    def __init__(self, trim: Callable[[], bool]) -> None:
        self._trim = trim
        self._trims_left = 0

    def used(self, size: int) -> None:
        """Note that a turn has ended that carried `size` bytes."""
        if size > LARGE_BYTES:
            self._trims_left = TRIMS

    def refused(self) -> None:
        """Note that a request was refused of which much may have been received."""
        self._trims_left = TRIMS

    def tidy(self) -> bool:
        """Return free memory to the system if a large turn has ended lately. Return whether there was any."""
        if not self._trims_left:
            return False
        self._trims_left -= 1
        return self._trim()
