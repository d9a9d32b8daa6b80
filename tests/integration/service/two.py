"""A service with two upstreams, and the file that names them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator import Simulator
from tests.stack import Stack

NAMES = "ab"


@dataclass(frozen=True)
class UpstreamsFile:
    path: Path
    urls: Sequence[str]

    def write(self, a: str = "", b: str = "", rest: str = "", first: str = "") -> None:
        """Write the tables of both with these keys besides, what is first, and the rest after them."""
        tables = [
            f'[upstreams.{name}]\nurl = "{url}"\nkeys = [{{ env = "KEY" }}]\n{more}\n'
            for name, url, more in zip(NAMES, self.urls, (a, b), strict=True)
        ]
        self.path.write_text(first + "".join(tables) + rest)


@dataclass(frozen=True)
class Two:
    """`a` and `b`: the upstreams of these names."""

    replica: Stack
    a: Simulator
    b: Simulator
    file: UpstreamsFile

    def served(self) -> list[int]:
        """How many requests each has got."""
        return [len(one.requests) for one in (self.a, self.b)]


def upstream(done: pb.Done) -> str:
    """Which upstream answered, as all that says so says."""
    assert done.provider == done.report.upstream
    return done.provider
