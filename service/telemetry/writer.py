"""Write log lines to a file descriptor from one thread, through a bounded queue.

A write to a pipe that has no reader blocks for ever, and one to a slow disk for seconds. On the event loop
it would stop every turn, health checks and SIGTERM. So `put` only appends and a thread writes. A line that
does not fit is lost and counted.

`logging.handlers.QueueListener` is not used: its `stop` joins the thread without a limit, which blocks in
the same way, and it wakes its thread for each line. A thread that wakes takes the interpreter from the
event loop; this one waits `GATHER_S` for more lines and writes all of them in one call. For the same reason
it writes to the descriptor and not to `sys.stderr`: the interpreter flushes that one when it ends, waits
for its lock, and exits with 120 if the disk is full.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

MAX_BYTES = 4 * 1024 * 1024
"""The bound of the queue: at 700 bytes a line about 6,000 turns."""

BATCH_BYTES = 64 * 1024
GATHER_S = 0.01
PATIENCE_S = 1.0
"""How long to wait for a non-blocking descriptor before the next try."""


class Writer:
    """Queue lines and write them from a thread.

    `write` returns the number of bytes written; when it raises OSError, the batch is lost. `on_recovery` is
    called from the thread with the number of lines lost, once lines are written again.
    """

    def __init__(
        self,
        write: Callable[[bytes], int],
        *,
        on_recovery: Callable[[int], None] = lambda lost: None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._write = write
        self._on_recovery = on_recovery
        self._max_bytes = max_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        # Reentrant: a finalizer may log while this thread holds the lock.
        self._lock = threading.RLock()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._unreported = 0
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"Writer({self._bytes} bytes wait, {self.lost} lines lost)"

    def put(self, line: bytes) -> None:
        """Queue one line, with its newline. Never waits: a line that does not fit is lost, as is one after
        `close`.
        """
        with self._lock:
            if self._bytes + len(line) > self._max_bytes or self._closing.is_set():
                self._lose(1)
                return
            self._lines.append(line)
            self._bytes += len(line)
        if not self._wanted.is_set():
            self._wanted.set()

    def lose(self) -> None:
        """Count a line that could not be formatted."""
        with self._lock:
            self._lose(1)

    def close(self, within_s: float) -> bool:
        """Write the queued lines and end the thread.

        Returns False when that takes longer than `within_s`; the thread then ends with the process.
        """
        with self._lock:
            self._closing.set()
        self._wanted.set()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _lose(self, lines: int) -> None:
        self.lost += lines
        self._unreported += lines

    def _run(self) -> None:
        broken = False  # the last write ended within a line
        while True:
            self._wanted.wait()
            self._closing.wait(GATHER_S)
            self._wanted.clear()
            ending = self._closing.is_set()  # read before the queue is emptied: nothing is queued after it
            while batch := self._take():
                data = b"".join([b"\n", *batch] if broken else batch)
                written = self._written(data)
                broken = 0 < written < len(data) or (broken and not written)
                if written < len(data):
                    with self._lock:
                        self._lose(len(batch))
                elif self._unreported:
                    self._recover()
            if ending:
                return

    def _recover(self) -> None:
        with self._lock:
            lost, self._unreported = self._unreported, 0
        self._on_recovery(lost)

    def _take(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        with self._lock:
            while self._lines and (not batch or size + len(self._lines[0]) <= BATCH_BYTES):
                batch.append(self._lines.popleft())
                size += len(batch[-1])
            self._bytes -= size
        return batch

    def _written(self, data: bytes) -> int:
        """Write all of it, and return the number of bytes written before an error, if there was one."""
        done = 0
        while done < len(data):
            try:
                done += self._write(data[done:])
            except BlockingIOError:  # a process that shares the descriptor made it non-blocking
                time.sleep(GATHER_S)
            except (OSError, ValueError):
                break
        return done


def to_descriptor(descriptor: int) -> Callable[[bytes], int]:
    """Return a function that writes to the descriptor, and waits if it is non-blocking."""

    def write(data: bytes) -> int:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            ready = select.poll()
            ready.register(descriptor, select.POLLOUT)
            ready.poll(PATIENCE_S * 1000)
            raise

    return write
