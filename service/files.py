"""Files that change while the service runs: `Watched`.

Owns when a file is read again, and that a broken one changes nothing. Must never know what is in it, nor log
it: many hold secrets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from service.config import SettingsError

LOOK_EVERY_S = 1.0

_Value = TypeVar("_Value")
_Stamp = tuple[tuple[int, int, int], ...]

logger = logging.getLogger(__name__)


class Watched(Generic[_Value]):
    """What `read` makes of the files: at the start, and again when one of them changed.

    They are looked at when the value is asked for, at most once in `LOOK_EVERY_S`: no task, no thread. `read`
    raises ValueError or OSError, in words that hold no secret. SettingsError: it does so at the start.
    """

    def __init__(self, variable: str, paths: Sequence[str], read: Callable[[], _Value]) -> None:
        self._variable = variable
        self._paths = [Path(path) for path in paths]
        self._read = read
        self._looked_at = time.monotonic()
        self._fault = ""
        try:
            self._stamp = self._stamps()
            self._value = read()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{variable} cannot be used: {error}") from error

    def __repr__(self) -> str:
        return f"Watched({self._variable})"

    def current(self) -> _Value:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            self._look()
        return self._value

    def _look(self) -> None:
        try:
            stamp = self._stamps()
            if stamp == self._stamp:
                return
            self._stamp = stamp  # before it is read: what changes meanwhile is seen the next time
            self._value = self._read()
        except (OSError, ValueError) as error:
            self._keep(str(error))
        else:
            self._fault = ""
            logger.info("%s: read again", self._variable)

    def _keep(self, fault: str) -> None:
        if fault != self._fault:  # a file that is gone is missed each second, and told once
            self._fault = fault
            logger.error("%s is broken, what it said before still holds: %s", self._variable, fault)

    def _stamps(self) -> _Stamp:
        """Changes when a file is written, or another takes its place."""
        stats = [path.stat() for path in self._paths]
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)
