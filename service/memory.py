"""Return freed memory to the system.

glibc's malloc raises its thresholds with the largest block ever freed, up to 32 MiB, and keeps what lies
below them. After thirty half-sent requests of 33 MiB, all refused, a replica had 282 MiB, and 84 MiB with
thresholds that stay at 64 KiB. What is smaller, as each event of a stream is, takes the same way as before.
"""

from __future__ import annotations

import ctypes

THRESHOLD_BYTES = 64 * 1024
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
"""As malloc.h has them."""


def keep_little() -> bool:
    """Fix the thresholds of malloc. Returns False where the C library has none."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all(mallopt(name, THRESHOLD_BYTES) for name in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD))
