"""Return freed memory to the system.

glibc's malloc keeps freed memory: what lies below its thresholds, which grow with the largest block ever
freed, up to 32 MiB, and what lies below something that still lives. 24 requests of 31.9 MiB at once took
1.3 GiB, and stay below 0.9 GiB with thresholds that stay at 64 KiB (`keep_little`). Of four answers of 8 MiB
that were dropped 32 MiB stayed until chance moved the last piece away; `malloc_trim` returns the free pages
wherever they are, 1 to 3 ms for 100 MiB (`trim`). The price of the thresholds: docs/decisions/0028-malloc.md.
"""

from __future__ import annotations

import ctypes

THRESHOLD_BYTES = 64 * 1024
"""grpc keeps what it receives in blocks of that size. What is allocated for each event must stay below it."""
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
"""As malloc.h has them."""


def keep_little() -> bool:
    """Fix the thresholds of malloc. Return False where the C library has none."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(name, THRESHOLD_BYTES) for name in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))


def trim() -> bool:
    """Return free memory to the system. Return whether there was any; False without glibc."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False
