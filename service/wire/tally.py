"""Count ignored events by kind, with a bound: an upstream may invent any number of names."""

from __future__ import annotations

from collections import Counter

from service.domain.report import FIELD

MAX_KINDS = 32
MAX_KIND_CHARACTERS = 64
REST = "other"


class Tally(Counter[str]):
    """A counter of at most `MAX_KINDS` kinds by name; the rest are counted together."""

    def note(self, kind: str) -> None:
        kind = kind[:MAX_KIND_CHARACTERS]
        self[kind if kind in self or len(self) < MAX_KINDS else REST] += 1

    def skip(self, field: str) -> None:
        """Count a field that was not understood."""
        self.note(f"{FIELD}{field}")
