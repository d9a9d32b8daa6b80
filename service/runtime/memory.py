"""Return freed memory to the system.

glibc's malloc keeps freed memory: what lies below its thresholds, which grow with the largest block ever
freed, up to 32 MiB, and what lies below something that still lives. Of four answers of 8 MiB that were
dropped 32 MiB stayed until chance moved the last piece away; ten half-sent requests of 33 MiB, all refused,
left 130 MiB. `malloc_trim` returns the free pages wherever they are: 1 to 3 ms for 100 MiB. So it is called
after what is known to leave much. Fixed thresholds (`mallopt`) return it at once, and make each delta dearer:
docs/decisions/0028-malloc.md.
"""

from __future__ import annotations

import ctypes

LARGE_BYTES = 1024 * 1024
"""Turns that carry less leave too little to return."""

TRIMS = 3
"""How many times memory is returned after a large turn. What it held is free only when its caller has the
last of it: an error with the answer so far is written after the turn has ended.
"""


class Heap:
    """Return the memory of large turns to the system."""

    def __init__(self) -> None:
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
        return _trim()


def _trim() -> bool:
    """Return whether memory was returned; False without glibc."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False
