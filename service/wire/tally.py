"""What was ignored, by kind.

Owns the bound: an upstream that invents names must not make the count grow for ever.
"""

from __future__ import annotations

from collections import Counter

MAX_KINDS = 32
MAX_KIND_CHARACTERS = 64
REST = "other"


class Tally(Counter[str]):
    """Counts at most `MAX_KINDS` kinds by name, and the rest together."""

    def note(self, kind: str) -> None:
        kind = kind[:MAX_KIND_CHARACTERS]
        self[kind if kind in self or len(self) < MAX_KINDS else REST] += 1
