"""Identifiers counted from a seed: the same seed and the same requests give the same ids."""

import itertools


class Ids:
    """Two simulators must not share one: after a restart, an id from before it has to be unknown."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._numbers = itertools.count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{self._seed}{next(self._numbers):012x}"
