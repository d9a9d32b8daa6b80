"""Read files that change while the service runs: `Watched`, and `read`, for every file of the settings.

A file may be read while it is being written. Half of a TOML file is often a valid one that says less: a
tenant without its limits. So a change counts only once the file has been left alone for `SETTLED_S`: its
stamp (time of change, size, inode) is that old, or was the same that long ago, and is still the same after it
was read. The content is not logged: many files hold secrets.
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

from service.domain.errors import SettingsError

CHECK_EVERY_S = 0.5
SETTLED_S = 0.5
"""Together a second: how long a change takes at most until it counts, if a call asks for the value."""

KIBIBYTE = 1024
MAX_PEM_BYTES = 1024 * KIBIBYTE

_Value = TypeVar("_Value")
_Stamp = tuple[tuple[int, int, int, int], ...]

logger = logging.getLogger(__name__)


def read(path: str, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes.

    Raises OSError if it cannot be read, and ValueError if it is not a regular file or larger.
    """

    def at_once(name: str, flags: int) -> int:
        """Open without waiting for the other end of a pipe."""
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
    """Keep the value that `read` returns for the files, at the start and again after one of them changed.

    They are checked when the value is asked for, at most once in `CHECK_EVERY_S`, without a task or a thread;
    and by `read_again`. `read` raises ValueError or OSError, in words that hold no secret. Threads may share
    this object.

    Raises SettingsError if the first `read` fails.
    """

    def __init__(self, variable: str, paths: Sequence[str], read: Callable[[], _Value]) -> None:
        self._variable = variable
        self._paths = [Path(path) for path in paths]
        self._read = read
        self._checked_at = self._new_at = time.monotonic()
        self._lock = threading.RLock()
        self._fault = self._read_fault = ""
        try:
            self._read_stamps = self._new_stamps = self._stamps()
            self._value = read()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{variable} cannot be used: {error}") from error
        if paths:
            _ALL.add(self)

    def __repr__(self) -> str:
        return f"Watched({self._variable})"

    def current(self) -> _Value:
        now = time.monotonic()
        if now - self._checked_at >= CHECK_EVERY_S:
            with self._lock:
                self._checked_at = now
                self._check()
        return self._value

    def read_now(self) -> None:
        """Read now, changed or not, and log the result: an operator says that the file is complete."""
        with self._lock:
            self._fault = ""
            self._reload()

    def _check(self) -> None:
        """Check the files: 1. unchanged since they were last read: done, 2. changed just now: check again
        later, 3. unchanged for `SETTLED_S` since: read them.
        """
        try:
            stamp = self._stamps()
        except OSError as error:
            self._keep_old(str(error))
            return
        if stamp == self._read_stamps:
            self._fault = self._read_fault  # it may have been missing meanwhile
        elif self._settled(stamp):
            self._reload()

    def _settled(self, stamp: _Stamp) -> bool:
        now = time.monotonic()
        if stamp != self._new_stamps:
            self._new_stamps, self._new_at = stamp, now
        changed_at = max(max(one[:2]) for one in stamp) / 1e9
        return now - self._new_at >= SETTLED_S or time.time() - changed_at >= SETTLED_S

    def _reload(self) -> None:
        stamp = self._read_stamps
        try:
            stamp = self._stamps()
            value = self._read()
            if self._stamps() != stamp:
                return  # it is being written: checked again later
        except (OSError, ValueError) as error:
            self._read_stamps, self._read_fault = stamp, str(error)
            self._keep_old(self._read_fault)
            return
        self._read_stamps, self._read_fault = stamp, ""
        self._value = value
        self._fault = ""
        logger.info("%s: read again", self._variable)

    def _keep_old(self, fault: str) -> None:
        if fault != self._fault:  # a missing file is found at each check, and reported once
            self._fault = fault
            logger.error("%s is broken, what it said before still holds: %s", self._variable, fault)

    def _stamps(self) -> _Stamp:
        """Return what changes when a file is written or replaced. The time of change of the inode is set by
        the system alone: a program that restores the other times does not restore it.
        """
        stats = [path.stat() for path in self._paths]
        return tuple((one.st_mtime_ns, one.st_ctime_ns, one.st_size, one.st_ino) for one in stats)


def read_again() -> None:
    """Read all watched files now."""
    for watched in list(_ALL):
        watched.read_now()
