"""Break lines between words, for text that comes in pieces.

A word is written when its end is known, so that it never has to move. The spaces before it wait with it:
where the line breaks they are dropped. What is wider than a line is left to the terminal, which breaks it
anywhere.
"""

import re
import unicodedata
from collections.abc import Callable

TAB = 8

# Words, single newlines, and runs of other white space.
_PIECE = re.compile(r"\n|[^\S\n]+|\S+")


class Wrapping:
    """Keeps the column of the cursor, and what waits. `columns` is asked each time: a window may change."""

    def __init__(self, columns: Callable[[], int]) -> None:
        self._columns = columns
        self._column = 0
        self._spaces = ""
        self._word = ""

    def feed(self, text: str) -> str:
        """Take a piece. Return what is to be written now."""
        ready = []
        for piece in _PIECE.findall(text):
            if not piece.isspace():
                self._word += piece
                continue
            ready.append(self.flush())
            if piece == "\n":
                self._column, self._spaces = 0, ""
                ready.append("\n")
            else:
                self._spaces += piece
        return "".join(ready)

    def flush(self) -> str:
        """Return the word that waits, on a line of its own where it does not fit."""
        if not self._word:
            return ""
        columns = max(self._columns(), 1)
        begin = _after(self._column, self._spaces)
        end = _after(begin, self._word)
        written = self._spaces + self._word
        if end > columns and self._column > 0:
            begin, end = 0, _after(0, self._word)
            written = "\n" + self._word
        self._column = end if end <= columns else (end - 1) % columns + 1
        self._spaces = self._word = ""
        return written


def _after(column: int, text: str) -> int:
    """The column after a text."""
    for sign in text:
        column = (column // TAB + 1) * TAB if sign == "\t" else column + _width(sign)
    return column


def _width(sign: str) -> int:
    """How many columns a sign takes: two for most signs of East Asia, none for an accent of its own."""
    if unicodedata.combining(sign) or unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1
