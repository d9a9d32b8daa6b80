"""Memory that large turns have freed goes back to the system.

glibc keeps what lies below something that still lives: the pieces of an answer are small and stand among all
others, so of four answers of 8 MiB that were dropped 32 MiB stayed in the process until chance moved the last
piece away. `malloc_trim` gives the free pages back, wherever they are: 1 to 3 ms for 100 MiB. It is asked
after a large turn only, and at most once for each look of the keeper.
"""

from __future__ import annotations

import ctypes

LARGE_BYTES = 1024 * 1024
"""Turns that carry less leave nothing worth a look."""


class Heap:
    """What turns have used and the system may have back."""

    def __init__(self) -> None:
        self._untidy = False

    def used(self, size: int) -> None:
        """A turn has ended that carried so many bytes."""
        self._untidy |= size > LARGE_BYTES

    def tidy(self) -> bool:
        """Give free memory back, if a large turn has ended. Returns whether there was any."""
        untidy, self._untidy = self._untidy, False
        return untidy and _trim()


def _trim() -> bool:
    """Returns False where nothing can be given back, as without glibc."""
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False
