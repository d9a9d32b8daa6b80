"""Return freed memory to the system.

glibc's malloc keeps freed memory in two ways. It raises its thresholds with the largest block ever freed, up
to 32 MiB, and keeps what lies below them: after thirty half-sent requests of 33 MiB, all refused, a replica
had 282 MiB, and 84 MiB with thresholds that stay where they are (`keep_little`). And it keeps what lies below
something that still lives: the pieces of an answer are small and stand among all others, so of four answers
of 8 MiB that were dropped 32 MiB stayed until chance moved the last piece away. `malloc_trim` returns the
free pages wherever they are: 1 to 3 ms for 100 MiB (`Heap`).
"""

from __future__ import annotations

import ctypes

THRESHOLD_BYTES = 64 * 1024
"""grpc keeps what it receives in blocks of that size; with a threshold of 68 KiB ten half-sent requests leave
120 MiB. A read of 64 KiB from a socket is no dearer by it (0.8 µs), since malloc maps a block only if it has
no free one.
"""
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
"""As malloc.h has them."""

LARGE_BYTES = 1024 * 1024
"""Turns that carry less leave too little to return."""

TRIMS = 3
"""How many times memory is returned after a large turn. What it held is free only when its caller has the
last of it: an error with the answer so far is written after the turn has ended.
"""


def keep_little() -> bool:
    """Fix the thresholds of malloc. Return False where the C library has none."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(name, THRESHOLD_BYTES) for name in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))


class Heap:
    """Return the memory of large turns to the system."""

    def __init__(self) -> None:
        self._trims_left = 0

    def used(self, size: int) -> None:
        """Note that a turn has ended that carried `size` bytes."""
        if size > LARGE_BYTES:
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
