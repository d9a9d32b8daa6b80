"""Turn the pieces of a streamed text into deltas, and reconcile them with the final text.

A delta only appends; what was streamed cannot be retracted. The message holds the upstream's final text, even
where it contradicts the pieces:

    pieces "Hel", "lo", final "Hello!"  ->  one more delta "!"
    pieces "Hel", "lo", final "Bye"     ->  no delta; the message says "Bye", and a contradiction is counted
"""

from __future__ import annotations

from collections.abc import Callable

from service.domain.events import Delta, Event
from service.wire.bounds import MAX_DELTA_CHARACTERS, Bounds, size_of
from service.wire.tally import Tally

MERGE_CHARACTERS = 16 * 1024
"""The most characters of a merged delta: at most 64 KiB of UTF-8."""


class Stream:
    """One text that arrives in pieces. `make_delta` wraps a piece in the delta of its part."""

    __slots__ = ("_bounds", "_pieces", "_size", "make_delta")

    def __init__(self, make_delta: Callable[[str], Delta], bounds: Bounds) -> None:
        self.make_delta = make_delta
        self._bounds = bounds
        self._pieces: list[str] = []
        self._size = 0

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def grow(self, piece: str) -> list[Delta]:
        """Append the piece and return its deltas. Raises TurnError when the answer is too long."""
        size = size_of(piece)
        self._bounds.text(size)
        self._size += size
        self._pieces.append(piece)
        return self._deltas(piece)

    def settle(self, final: str | None, tally: Tally) -> list[Event]:
        """Replace the text with the final one, and return deltas for what was not streamed of it.

        None and an empty text change nothing: some servers do not repeat the text.
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
            return [self.make_delta(piece)] if piece else []
        starts = range(0, len(piece), MAX_DELTA_CHARACTERS)
        return [self.make_delta(piece[start : start + MAX_DELTA_CHARACTERS]) for start in starts]


class Run:
    """Merge adjacent pieces of one stream into one delta of at most `MERGE_CHARACTERS`.

    A single piece that is longer is not merged with others.
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
        """Emit the merged delta. Raises TurnError, and drops it, when it makes the answer too long."""
        stream, self._stream = self._stream, None
        if stream is not None:
            piece = "".join(self._pieces)
            self._pieces, self._size = [], 0
            self._events += stream.grow(piece)
