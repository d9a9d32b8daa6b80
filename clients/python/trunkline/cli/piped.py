"""Read what a script pipes in, so that no Ctrl-C is missed.

A plain `sys.stdin.readline()` can sleep through a signal. Python's handler runs between two instructions,
and a read that a signal cuts short lets it run (PEP 475). But a signal that arrives after the last look for
one and before the kernel sleeps in `read(2)`, or that another thread receives, cuts nothing short: it is
handled with the next line, which may never come.

So the wait is a `select` over the descriptor and a socket that the C handler writes to
(`signal.set_wakeup_fd`). Whenever the signal comes, the select returns, and Python runs its handler.
"""

import io
import select
import signal
import socket
import sys
from typing import TextIO


def piped(stream: TextIO) -> TextIO:
    """Read the same descriptor as `stream`, with its encoding. Signals are handled while it waits.

    For the main thread, which is the one that handles them. Nothing may have been read from `stream`.
    """
    if sys.platform == "win32":  # select takes sockets only, and Ctrl-C ends a read there
        return stream
    raw = _Interruptible(stream.fileno(), closefd=False)
    return io.TextIOWrapper(io.BufferedReader(raw), encoding=stream.encoding, errors=stream.errors)


class _Interruptible(io.FileIO):
    def readinto(self, buffer: bytearray | memoryview, /) -> int | None:  # type: ignore[override]
        receiver, sender = socket.socketpair()
        with receiver, sender:
            sender.setblocking(False)
            before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
            try:
                while self.fileno() not in select.select([self.fileno(), receiver.fileno()], [], [])[0]:
                    receiver.recv(1)
            finally:
                signal.set_wakeup_fd(before)
        return super().readinto(buffer)
