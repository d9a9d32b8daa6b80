"""Print the demo: 80 columns, with colours on a terminal that shows them."""

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from trunkline import Report

WIDTH = 80
INDENT = 9
QUIET_S = 2.0
"""After so long without output, the screen shows what it is waiting for."""

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


class Screen:
    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._column = 0
        self._word = ""
        self._last = time.monotonic()

    def paint(self, text: str, colour: str) -> str:
        return f"\033[{COLOURS[colour]}m{text}\033[0m" if self._colour and text else text

    def line(self, text: str = "", colour: str = "") -> None:
        self.flush()
        self._write((self.paint(text, colour) if colour else text) + "\n")

    def title(self, number: int, text: str, why: str) -> None:
        self.line()
        self.line(f"{self.paint(f'{number}  {text}', 'bold')}  {self.paint(why, 'dim')}")

    def said(self, who: str, text: str, colour: str = "") -> None:
        """Show a whole text of one speaker, wrapped."""
        self.speaker(who, colour)
        self.stream(text)
        self.flush()

    def speaker(self, who: str, colour: str = "") -> None:
        self.flush()
        label = f"   {who}".ljust(INDENT)
        self._write(self.paint(label, colour) if colour else label)
        self._column = INDENT

    def stream(self, delta: str) -> None:
        """Show text as it arrives, word by word: only a whole word is known to fit into the line."""
        for character in delta:
            if character.isspace():
                self._put_word()
            else:
                self._word += character

    def flush(self) -> None:
        """End the current line, if it is not empty."""
        if self._column:
            self._put_word()
            self._write("\n")
            self._column = 0

    def report(self, report: Report) -> None:
        colour = "green" if report.incremental else "yellow"
        context = self.paint(report.context.upper(), colour)
        first = report.timings.first_content
        self.line(
            f"   {report.transport} ({report.transport_reason}) · {context} ({report.context_reason})"
            f" · {size(report.bytes_sent)} / {size(report.bytes_saved)} · {milliseconds(first)}"
            + (f" · at {report.upstream} ({report.upstream_reason})" if report.upstream else "")
        )

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        for index, row in enumerate(rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            self.line(("  " + "  ".join(cells)).rstrip(), "" if index else "dim")

    @contextmanager
    def waiting_for(self, what: str) -> Iterator[None]:
        """Show `what` whenever nothing was printed for two seconds."""
        watch = asyncio.ensure_future(self._watch(what))
        try:
            yield
        finally:
            watch.cancel()

    async def _watch(self, what: str) -> None:
        began = self._last = time.monotonic()
        while True:
            await asyncio.sleep(max(0.05, self._last + QUIET_S - time.monotonic()))
            now = time.monotonic()
            if now - self._last >= QUIET_S:
                self._interject(f"… {what}: {now - began:.0f} s")

    def _interject(self, text: str) -> None:
        """Write a separate line, even in the middle of another one."""
        before, after = ("\n", " " * INDENT) if self._column else ("", "")
        self._write(f"{before}   {self.paint(text, 'dim')}\n{after}")
        self._column = len(after)

    def _put_word(self) -> None:
        if not self._word:
            return
        if self._column + 1 + len(self._word) > WIDTH:
            self._write("\n" + " " * INDENT)
            self._column = INDENT
        gap = " " if self._column > INDENT else ""
        self._write(gap + self._word)
        self._column += len(gap) + len(self._word)
        self._word = ""

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        self._last = time.monotonic()


def size(count: int) -> str:
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB"


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
