"""Turn the pieces of a streamed text into deltas, and reconcile them with the final text.

Adjacent pieces are merged before a delta is made of them, because that costs most: decoding a frame takes
0.5 µs, adding its piece 0.15 µs, checking the bounds and making the delta 0.75 µs (Python 3.11).

    add "Hel", add "lo", merge  ->  one delta "Hello"; only now is it checked, and part of the text

Who adds pieces must merge them before the text is read or settled.

A delta only appends; what was streamed cannot be retracted. The message holds the upstream's final text, even
where it contradicts the pieces:

    pieces "Hel", "lo", final "Hello!"  ->  one more delta "!"
    pieces "Hel", "lo", final "Bye"     ->  no delta; the message says "Bye", and a contradiction is counted
    pieces "Hel", "lo", final "Hel"     ->  no delta; the message says "Hello": the final one is older

Some servers cut an emoji into two UTF-16 surrogates, one at the end of a piece and one at the beginning of
the next. The first waits for the second; one without its other half becomes U+FFFD.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from service.domain.events import Delta, Event
from service.wire.bounds import MAX_DELTA_CHARACTERS, Bounds, size_of
from service.wire.lenient import without_halves
from service.wire.tally import Tally

MERGE_CHARACTERS = 16 * 1024
"""The most characters of a merged delta: at most 64 KiB of UTF-8."""


class Stream:
    """One text that arrives in pieces. `make_delta` wraps a piece in the delta of its part."""

    __slots__ = ("_added", "_bounds", "_length", "_pieces", "_size", "make_delta")

    def __init__(self, make_delta: Callable[[str], Delta], bounds: Bounds) -> None:
        self.make_delta = make_delta
        self._bounds = bounds
        self._pieces: list[str] = []
        self._size = 0  # of the text, in bytes
        self._added: list[str] = []  # since the last merge
        self._length = 0  # of what was added, in characters

    @property
    def text(self) -> str:
        """The text as far as it is merged."""
        return "".join(self._pieces)

    def add(self, piece: str) -> Sequence[Delta]:
        """Add the piece. Return the delta of those before it when they are too long to be merged with it.

        A single piece that is longer than `MERGE_CHARACTERS` is not merged with others.
        """
        too_long = self._length + len(piece) > MERGE_CHARACTERS
        deltas = self.merge() if too_long else ()
        self._added.append(piece)
        self._length += len(piece)
        return deltas

    def merge(self) -> list[Delta]:
        """Append what was added to the text, and return its deltas: one, unless it is very long.

        Raises TurnError, and drops what was added, when it makes the answer too long.
        """
        if not self._added:
            return []
        piece = "".join(self._added)
        self._added.clear()
        self._length = 0
        try:
            size = size_of(piece)
        except UnicodeEncodeError:
            piece = self._without_halves(piece)
            size = size_of(piece)
        self._bounds.text(size)
        self._size += size
        self._pieces.append(piece)
        return self._deltas(piece)

    def settle(self, final: str | None, tally: Tally, *, closed: bool = False) -> list[Event]:
        """Replace the text with the final one, and return deltas for what was not streamed of it.

        None and an empty text change nothing: some servers do not repeat the text. Nor does the beginning of
        the text: some repeat an older state. A text that is `closed` is only extended.
        """
        if not final:
            return []
        streamed = self.text
        self._added.clear()  # half a character, which the final text has whole
        if streamed.startswith(final):
            self._pieces = [streamed]
            return []
        extends = final.startswith(streamed)
        if not extends:
            tally.note("contradiction")
            if closed:
                return []
        size = size_of(final)
        self._bounds.text(max(0, size - self._size))
        self._pieces, self._size = [final], size
        return [*self._deltas(final[len(streamed) :])] if extends else []

    def _without_halves(self, piece: str) -> str:
        """Keep a surrogate at the end of the piece for the next merge; join or replace the others."""
        if "\ud800" <= piece[-1] <= "\udbff":
            self._added, self._length = [piece[-1]], 1
            piece = piece[:-1]
        return without_halves(piece)

    def _deltas(self, piece: str) -> list[Delta]:
        if len(piece) <= MAX_DELTA_CHARACTERS:
            return [self.make_delta(piece)] if piece else []
        starts = range(0, len(piece), MAX_DELTA_CHARACTERS)
        return [self.make_delta(piece[start : start + MAX_DELTA_CHARACTERS]) for start in starts]
