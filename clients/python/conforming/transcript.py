"""Write the transcript: deltas are joined, ids replaced."""

import json
import re
import secrets
from collections import Counter
from typing import Any, BinaryIO

IDS = re.compile(r"\b([a-z]{2,4})_[0-9a-z]{12,}")


class Transcript:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.run = secrets.token_hex(6)
        self._seen: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def scenario(self, name: str) -> None:
        """Restart the numbering of ids."""
        self._seen.clear()
        self._counts.clear()
        self.line(f"== {name}")

    def line(self, word: str, value: Any = None) -> None:
        line = word if value is None else f"{word} {encoded(value)}"
        line = IDS.sub(self._name, line.replace(self.run, "RUN"))
        self._out.write(line.encode() + b"\n")
        self._out.flush()

    def _name(self, found: re.Match[str]) -> str:
        identifier, kind = found[0], found[1]
        if identifier not in self._seen:
            self._counts[kind] += 1
            self._seen[identifier] = f"<{kind}-{self._counts[kind]}>"
        return self._seen[identifier]


def encoded(value: Any) -> str:
    """json escapes just what the specification wants, and in its way."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
