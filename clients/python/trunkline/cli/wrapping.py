"""Break lines between words, for text that comes in pieces.

A word is written when its end is known, so that it never has to move. The spaces before it wait with it:
where the line breaks they are dropped. A word that is wider than a line is written as it comes, and the
terminal breaks it anywhere.
"""

import unicodedata
from collections.abc import Callable

TAB = 8


class Wrapping:
    """Keeps the column of the cursor, and what waits. `columns` is asked each time: a window may change."""

    def __init__(self, columns: Callable[[], int]) -> None:
        self._columns = columns
        self._limit = 1
        self._column = 0
        self._spaces = ""
        self._word = ""
        self._is_rest = False

    def feed(self, text: str) -> str:
        """Take a piece. Return what is to be written now."""
        self._limit = max(self._columns(), 1)
        ready: list[str] = []
        for sign in text:
            if sign.isspace():
                ready += (self.flush(), self._space(sign))
            elif _width(sign) > 1:  # East Asia writes without spaces: a line may begin with any such sign
                ready.append(self.flush())
                self._word, self._is_rest = sign, False
                ready.append(self.flush())
            else:
                self._word += sign
                if len(self._word) > self._limit:
                    ready.append(self.flush())
                    self._is_rest = True
        return "".join(ready)

    def flush(self) -> str:
        """Return the word that waits, on a line of its own where it does not fit."""
        if not self._word:
            return ""
        end = _after(_after(self._column, self._spaces), self._word)
        written = self._spaces + self._word
        if end > self._limit and self._column > 0 and not self._is_rest:
            end = _after(0, self._word)
            written = "\n" + self._word
        self._column = end if end <= self._limit else (end - 1) % self._limit + 1
        self._spaces = self._word = ""
        return written

    def _space(self, sign: str) -> str:
        """A new line is written at once, and what waits before it is dropped."""
        self._is_rest = False
        if sign != "\n":
            self._spaces += sign
            return ""
        self._column, self._spaces = 0, ""
        return sign


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
