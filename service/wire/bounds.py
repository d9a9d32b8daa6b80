"""Bound the size of one answer.

An answer that never ends, or has a million small parts, is refused with a PROTOCOL_ERROR that names the
bound, before the excess is stored or emitted. So an accepted answer always fits one gRPC message (64 MiB,
`service/rpc/server.py`), as `done` or as the `partial` of an error: the bytes below, and some tens of bytes
around each part.

The bounds are far above what models generate (128,000 tokens are half a MiB), and low enough that the steps
which process an answer as a whole (joining it, its digest, its message) block the event loop for less than
0.1 s each: about 6 ms per MiB of text, 15 µs per part. Measured on two shared cores with Python 3.11.
"""

from __future__ import annotations

from collections.abc import Sized

from service.domain.errors import Reason, TurnError

MEBIBYTE = 1024 * 1024

MAX_ANSWER_BYTES = 8 * MEBIBYTE
"""Text, refusals, arguments, reasoning (encrypted, too), names and whole items, in UTF-8. The events of their
progress, which are not kept, have as much for themselves.
"""

MAX_ITEMS = 4096
"""Output items that have parts."""

MAX_PARTS = 4096
"""Parts, and paragraphs of reasoning."""

MAX_NAME_BYTES = 16 * 1024
"""One id, call_id or name. They are repeated in each delta of a call; some servers put reasoning in them."""

MAX_DELTA_CHARACTERS = 256 * 1024
"""One delta: at most 1 MiB of UTF-8, which every client accepts. A longer one is split."""

MAX_MESSAGE_BYTES = 16 * MEBIBYTE
"""One event. `response.completed` repeats the answer (at most twice as long where it is escaped) and echoes
instructions and tools; by SSE, which carries the largest requests, it may be longer by the request's size.
Parsing 16 MiB of JSON blocks the event loop for 30 to 90 ms.
"""


def size_of(text: str) -> int:
    """Return the bytes of the text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


class Bounds:
    """Count what one answer has used: `size` bytes so far.

    The counts never decrease: text that a final text replaces was read all the same.
    Each method but `progress` raises TurnError PROTOCOL_ERROR when the answer is over its bound.
    """

    __slots__ = ("_items", "_parts", "_progress", "size")

    def __init__(self) -> None:
        self.size = self._items = self._parts = self._progress = 0

    def text(self, size: int) -> None:
        self.size += size
        if self.size > MAX_ANSWER_BYTES:
            raise _over(f"{MAX_ANSWER_BYTES} bytes")

    def names(self, *names: str | None) -> None:
        for name in names:
            if name:
                size = size_of(name)
                if size > MAX_NAME_BYTES:
                    raise TurnError(
                        Reason.PROTOCOL_ERROR,
                        f"the upstream sent an id or a name of more than {MAX_NAME_BYTES} bytes",
                    )
                self.text(size)

    def item(self) -> None:
        self._items += 1
        if self._items > MAX_ITEMS:
            raise _over(f"{MAX_ITEMS} items")

    def listed(self, entries: Sized | None) -> None:
        """A list of items, of contents or of paragraphs, before its entries are decoded."""
        if entries is not None and len(entries) > MAX_ITEMS:
            raise _over(f"{MAX_ITEMS} items or parts in one list")

    def progress(self, size: int) -> bool:
        """Return whether an event of this size may be passed on whole. It is no reason to fail."""
        if self._progress + size > MAX_ANSWER_BYTES:
            return False
        self._progress += size
        return True

    def part(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise _over(f"{MAX_PARTS} parts")


def _over(what: str) -> TurnError:
    return TurnError(Reason.PROTOCOL_ERROR, f"the upstream's answer has more than {what}")
