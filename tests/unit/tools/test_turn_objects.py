import asyncio
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module

import pytest

from tools.turn_objects import Counting, Counts, median

SAMPLE = """
import dataclasses, enum, typing

class Base:
    def __init__(self): self.part = 1

class Derived(Base):
    def __init__(self): super().__init__()

@dataclasses.dataclass
class Mutable: n: int = 0

@dataclasses.dataclass(frozen=True, slots=True)
class Frozen: n: int = 0

class Row(typing.NamedTuple): n: int

async def stream():
    yield 1
    yield 2

async def work(): ...
"""

MOST = {"objects": 29, "async generators": 2, "tasks": 0}
"""What a turn may create. These numbers only ever go down. Three of the objects are spans, which were the
SDK's before and not counted. The service needs no task of its own for a turn: the call's belongs to grpc.
"""


@pytest.fixture
def sample(tmp_path, monkeypatch):
    folder = tmp_path / "sampled"
    (folder / "gen").mkdir(parents=True)
    for file in ("code.py", "gen/code.py"):
        (folder / file).write_text(SAMPLE)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


async def create(code):
    code.Derived(), code.Mutable(), code.Frozen(), code.Row(1)
    async for _ in code.stream():
        pass
    await asyncio.create_task(code.work())


async def test_each_creation_is_counted_once(sample):
    code, generated = import_module("sampled.code"), import_module("sampled.gen.code")
    counting = Counting(sample)
    with counting.installed():
        await create(code)
        await create(generated)
        await create(code)
    await create(code)
    assert counting.counts == Counts(
        objects=Counter({"code.Derived": 2, "code.Mutable": 2}),
        values=Counter({"code.Frozen": 2, "code.Row": 2}),
        async_generators=Counter({"stream": 2}),
        tasks=Counter({"work": 2}),
    )


def test_what_most_turns_do_not_create_is_left_out():
    turns = [Counts(objects=Counter(one)) for one in (["Turn"], ["Turn", "Reaper"], ["Turn", "Turn"])]
    assert median(turns) == Counts(objects=Counter(["Turn"]))


def test_the_report_names_groups_and_numbers():
    counts = Counts(async_generators=Counter({"b": 1, "a": 2}))
    assert "async generators: 3\n    2 a\n    1 b\n" in counts.report()


def test_a_turn_creates_no_more_than_it_did():
    command = [sys.executable, "-m", "tools.turn_objects"]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    totals = dict(re.findall(r"^([a-z ]+): (\d+)$", report, re.MULTILINE))
    assert {name: totals[name] for name, most in MOST.items() if int(totals[name]) > most} == {}, report
    assert int(totals["objects"]) > 0
    assert int(totals["async generators"]) > 0
