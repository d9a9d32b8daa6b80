"""Texts that arrive in pieces, and how the pieces become deltas.

What was streamed is never taken back: a delta only appends. The upstream's last word stands, also where it is
another text than the pieces made.
"""

from __future__ import annotations

from collections.abc import Callable

from service.domain.events import Delta, Event
from service.wire.bounds import MAX_DELTA_CHARACTERS, Bounds, size_of
from service.wire.tally import Tally

MERGE_CHARACTERS = 16 * 1024
"""How long a merged delta may be: at most 64 KiB of UTF-8, whatever the characters."""


class Stream:
    """One text that arrives in pieces. `tell` makes the delta of a piece."""

    __slots__ = ("_bounds", "_pieces", "_size", "tell")

    def __init__(self, tell: Callable[[str], Delta], bounds: Bounds) -> None:
        self.tell = tell
        self._bounds = bounds
        self._pieces: list[str] = []
        self._size = 0

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def grow(self, piece: str) -> list[Delta]:
        """Append the piece, and return its deltas. Raises TurnError when the answer is too long."""
        size = size_of(piece)
        self._bounds.text(size)
        self._size += size
        self._pieces.append(piece)
        return self._deltas(piece)

    def settle(self, final: str | None, tally: Tally) -> list[Event]:
        """Replace the text by the final one, and return what the pieces lacked of it.

        A server that repeats nothing (null, or an empty text) contradicts nothing.
        """
        if not final:
            return []
        streamed, size = self.text, size_of(final)
        self._bounds.text(max(0, size - self._size))
        self._pieces, self._size = [final], size
        if not final.startswith(streamed):
            tally.note("contradiction")
            return []
        return [*self._deltas(final[len(streamed) :])]

    def _deltas(self, piece: str) -> list[Delta]:
        if len(piece) <= MAX_DELTA_CHARACTERS:
            return [self.tell(piece)] if piece else []
        starts = range(0, len(piece), MAX_DELTA_CHARACTERS)
        return [self.tell(piece[start : start + MAX_DELTA_CHARACTERS]) for start in starts]


class Run:
    """Neighbouring pieces of one stream, on their way to one delta of at most `MERGE_CHARACTERS`.

    A piece that is longer alone becomes deltas of its own.
    """

    __slots__ = ("_events", "_pieces", "_size", "_stream")

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._pieces: list[str] = []
        self._size = 0
        self._stream: Stream | None = None

    def add(self, stream: Stream, piece: str) -> None:
        if stream is not self._stream or self._size + len(piece) > MERGE_CHARACTERS:
            self.end()
            self._stream = stream
        self._pieces.append(piece)
        self._size += len(piece)

    def end(self) -> None:
        """Report what was gathered. Raises TurnError when the answer is too long with it: it is dropped."""
        stream, self._stream = self._stream, None
        if stream is not None:
            piece = "".join(self._pieces)
            self._pieces, self._size = [], 0
            self._events += stream.grow(piece)
