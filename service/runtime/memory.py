"""Return freed memory to the system.

glibc's malloc keeps freed memory: what lies below its thresholds, which grow with the largest block ever
freed, up to 32 MiB, and what lies below something that still lives. 24 requests of 31.9 MiB at once took
1.3 GiB, and stay below 0.9 GiB with thresholds that stay at 64 KiB (`keep_little`). Of four answers of 8 MiB
that were dropped 32 MiB stayed until chance moved the last piece away; `malloc_trim` returns the free pages
wherever they are, 1 to 3 ms for 100 MiB (`Heap`). The price of the thresholds: docs/decisions/0028-malloc.md.
"""

from __future__ import annotations

import ctypes

THRESHOLD_BYTES = 64 * 1024
"""grpc keeps what it receives in blocks of that size. What is allocated for each event must stay below it:
`READ_BYTES` of the receive buffer does.
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
