"""Say where a key of the upstream comes from: `KeySource`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeySource:
    """A key: the `secret` itself, or the `file` that holds it. `weight`: its share among several."""

    secret: str = field(default="", repr=False)
    file: str = ""
    weight: int = 1
