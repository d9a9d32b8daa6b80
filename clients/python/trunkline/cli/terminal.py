"""Write results to standard output, everything else to standard error.

On a terminal text has colours, and breaks between words. Control characters in text from elsewhere are made
visible, so that they cannot steer the terminal.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Any, TextIO

from trunkline.cli.wrapping import Wrapping

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

# A model, or what it quotes, may say ESC. Seen as a sign it does no harm.
CONTROLS = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
CONTROLS |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


class Terminal:
    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.err = err or sys.stderr
        self._open: TextIO | None = None
        self._style = ""
        self._wrapping = Wrapping(lambda: self.columns)

    @property
    def columns(self) -> int:
        return shutil.get_terminal_size().columns

    @property
    def rows(self) -> int:
        return shutil.get_terminal_size().lines

    def say(self, text: str, style: str = "") -> None:
        """A line of what was asked for."""
        self.write(self.out, text, style)
        self.fresh_line()

    def note(self, text: str, style: str = "") -> None:
        """A line about it."""
        self.fresh_line()
        self.write(self.err, text, style)
        self.fresh_line()

    def record(self, record: Mapping[str, Any]) -> None:
        """A line of JSON. In ASCII: some readers take more than \\n for the end of a line."""
        self._put(self.out, json.dumps(record) + "\n")

    def write(self, stream: TextIO, text: str, style: str = "") -> None:
        """A piece of a line. On a terminal its last word is written with what follows."""
        if not text:
            return
        if self._open is not None and (stream, style) != (self._open, self._style):
            self._finish_word()
        self._open, self._style = stream, style
        # Seen as they are shown, control characters are counted as they are shown.
        ready = self._wrapping.feed(text.translate(CONTROLS)) if stream.isatty() else text
        if ready:
            self._put(stream, self.paint(stream, ready, style))
        if text.endswith("\n"):
            self._open = None

    def fresh_line(self) -> None:
        """Ends a line that is open."""
        if self._open is not None:
            self._finish_word()
            if self._open.isatty():
                self._wrapping.feed("\n")
            self._put(self._open, "\n")
            self._open = None

    def _finish_word(self) -> None:
        if self._open is not None and (word := self._wrapping.flush()):
            self._put(self._open, self.paint(self._open, word, self._style))

    def prompt(self, text: str) -> str:
        """What input() is to show: nothing where that would end up in a file; then it is shown here."""
        if self.out.isatty():
            return self.paint(self.out, text)
        self._put(self.err, self.paint(self.err, text))
        return ""

    def raw(self, text: str) -> None:
        """As it stands, with what steers the terminal."""
        self._put(self.out, text)

    @staticmethod
    def paint(stream: TextIO, text: str, style: str = "") -> str:
        if not stream.isatty():
            return text
        text = text.translate(CONTROLS)
        return f"\033[{STYLES[style]}m{text}\033[0m" if style and not os.environ.get("NO_COLOR") else text

    @staticmethod
    def _put(stream: TextIO, text: str) -> None:
        stream.write(text)
        stream.flush()
