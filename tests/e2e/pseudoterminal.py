"""A program on a terminal of its own, where Ctrl-C is a key.

It keeps what is typed and what has appeared.
"""

import asyncio
import codecs
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

CTRL_C, CTRL_D = "\x03", "\x04"
PATIENCE_S = 60.0

# Run first: only of its controlling terminal the keys are signals to a process.
TAKE = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b(\[[0-9;?]*)?$")
"""Also the beginning of one, of which the rest has not come yet."""


class Screen:
    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.raw = ""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(terminal, self._receive)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    async def shows(self, pattern: str) -> str:
        """Waits until this appears, after what was waited for before. Returns what was matched."""
        wanted = re.compile(pattern)
        while (found := wanted.search(self.text, self._read)) is None:
            self._more.clear()
            try:
                await asyncio.wait_for(self._more.wait(), PATIENCE_S)
            except TimeoutError:
                raise AssertionError(f"nowhere {pattern!r}:\n{self.text!r}\n{self.raw!r}") from None
        self._read = found.end()
        return found[0]

    async def waits(self) -> None:
        """Waits until the program does: a key that comes between its prompt and its sleep is seen too late.

        That is readline's own: a signal in that moment is reported only with the next key.
        """
        async with asyncio.timeout(PATIENCE_S):
            while self._state() != "S":  # noqa: ASYNC110  another process
                await asyncio.sleep(0.02)

    def _state(self) -> str:
        reported = Path(f"/proc/{self._process.pid}/stat").read_text()
        return reported.rpartition(")")[2].split()[0]

    @property
    def text(self) -> str:
        """All that has appeared, without colours and the like."""
        return STEERING.sub("", self.raw).replace("\r", "")

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE_S):
            return await self._process.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)

    def _receive(self) -> None:
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # nobody writes any more
            asyncio.get_running_loop().remove_reader(self._terminal)
            return
        self.raw += self._decoder.decode(data)
        self._more.set()


@asynccontextmanager
async def on_a_terminal(arguments: Sequence[str], **environment: str) -> AsyncIterator[Screen]:
    """Runs Python with these arguments; killed if it still runs in the end."""
    terminal, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", TAKE, sys.executable, *arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "", "LINES": ""} | environment,
        start_new_session=True,
    )
    os.close(theirs)
    screen = Screen(process, terminal)
    try:
        yield screen
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        screen.close()
