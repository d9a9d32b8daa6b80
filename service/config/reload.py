"""Files that change while the service runs: `Watched`, and `read`, which every file of the settings goes
through.

A file may be looked at while somebody writes it. Half of a TOML file is often a valid one that says less: a
tenant without its limits. So a change counts only once the file has been left alone for `SETTLED_S`: its
stamp (time of change, size, inode) is that old, or was the same that long ago, and is still the same after it
was read. What is in a file is not known here and not logged: many hold secrets.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from service.config.settings import SettingsError

LOOK_EVERY_S = 0.5
SETTLED_S = 0.5
"""Together a second: how long a change takes at most until it counts, if a call asks."""

KIBIBYTE = 1024
MAX_PEM_BYTES = 1024 * KIBIBYTE

_Value = TypeVar("_Value")
_Stamp = tuple[tuple[int, int, int, int], ...]

logger = logging.getLogger(__name__)


def read(path: str, most: int) -> bytes:
    """The content of a regular file of at most so many bytes. OSError, ValueError: it is none, or larger."""

    def at_once(name: str, flags: int) -> int:
        """Without waiting for the other end of what may be a pipe."""
        return os.open(name, flags | os.O_NONBLOCK)

    with open(path, "rb", opener=at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path} is not a regular file")
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"{path} is larger than {most // KIBIBYTE} KiB")
    return data


_ALL: WeakSet[Watched[Any]] = WeakSet()


class Watched(Generic[_Value]):
    """What `read` makes of the files: at the start, and again when one of them changed.

    They are looked at when the value is asked for, at most once in `LOOK_EVERY_S`: no task, no thread; and by
    `read_again`. `read` raises ValueError or OSError, in words that hold no secret. SettingsError: it does so
    at the start. Threads may share it.
    """

    def __init__(self, variable: str, paths: Sequence[str], read: Callable[[], _Value]) -> None:
        self._variable = variable
        self._paths = [Path(path) for path in paths]
        self._read = read
        self._looked_at = self._seen_at = time.monotonic()
        self._lock = threading.RLock()
        self._fault = self._judgement = ""
        try:
            self._judged = self._seen = self._stamps()
            self._value = read()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{variable} cannot be used: {error}") from error
        if paths:
            _ALL.add(self)

    def __repr__(self) -> str:
        return f"Watched({self._variable})"

    def current(self) -> _Value:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY_S:
            with self._lock:
                self._looked_at = now
                self._look()
        return self._value

    def look(self) -> None:
        """Read now, changed or not, and report what came of it: somebody says that it is whole."""
        with self._lock:
            self._fault = ""
            self._judge()

    def _look(self) -> None:
        """1. As it was when it was last judged: nothing to do. 2. Changed just now: look again later. 3. Left
        alone since: judge it.
        """
        try:
            stamp = self._stamps()
        except OSError as error:
            self._keep(str(error))
            return
        if stamp == self._judged:
            self._fault = self._judgement  # it may have been away
        elif self._settled(stamp):
            self._judge()

    def _settled(self, stamp: _Stamp) -> bool:
        now = time.monotonic()
        if stamp != self._seen:
            self._seen, self._seen_at = stamp, now
        changed_at = max(max(one[:2]) for one in stamp) / 1e9
        return now - self._seen_at >= SETTLED_S or time.time() - changed_at >= SETTLED_S

    def _judge(self) -> None:
        stamp = self._judged
        try:
            stamp = self._stamps()
            value = self._read()
            if self._stamps() != stamp:
                return  # somebody writes: it is looked at again
        except (OSError, ValueError) as error:
            self._judged, self._judgement = stamp, str(error)
            self._keep(self._judgement)
            return
        self._judged, self._judgement = stamp, ""
        self._value = value
        self._fault = ""
        logger.info("%s: read again", self._variable)

    def _keep(self, fault: str) -> None:
        if fault != self._fault:  # a file that is gone is missed at each look, and reported once
            self._fault = fault
            logger.error("%s is broken, what it said before still holds: %s", self._variable, fault)

    def _stamps(self) -> _Stamp:
        """Changes when a file is written, or another takes its place. The time of the last change of the
        inode is the system's own: who sets the others back does not set that one.
        """
        stats = [path.stat() for path in self._paths]
        return tuple((one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino) for one in stats)


def read_again() -> None:
    """Read all files that are watched, at once."""
    for watched in list(_ALL):
        watched.look()
