"""Identifiers, counted from a seed: the same seed and the same requests give the same ids.

Owns the counter. It must never be shared by two simulators: an id from before a restart has to be unknown
after it.
"""

import itertools


class Ids:
    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._numbers = itertools.count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{self._seed}{next(self._numbers):012x}"
