import json

import pytest

from bench import guard
from bench.sides import CALL, CASES, DELTA


@pytest.fixture
def record(tmp_path, monkeypatch):
    file = tmp_path / "guard.json"
    file.write_text(json.dumps({case.name: {"margin": 1.5, "ratio": 2.0} for case in CASES}))
    monkeypatch.setattr(guard, "RECORD", file)
    return file


def measured(monkeypatch, *runs):
    """Make each run of the guard measure these ratios, and return the cases that were asked for."""
    asked = []

    async def measure(cases):
        asked.append(list(cases))
        return {case: runs[len(asked) - 1][case] for case in cases}

    monkeypatch.setattr(guard, "measure", measure)
    return asked


def test_only_a_case_above_its_limit_is_measured_again(record, monkeypatch):
    monkeypatch.setattr("sys.argv", ["guard"])
    asked = measured(monkeypatch, {CALL: [2.9, 9.0, 2.8], DELTA: [3.1]}, {DELTA: [2.9]})
    assert guard.main() == 0
    assert asked == [[CALL, DELTA], [DELTA]]


def test_a_case_that_fails_every_try_fails(record, monkeypatch):
    monkeypatch.setattr("sys.argv", ["guard"])
    asked = measured(monkeypatch, *[{CALL: [3.1], DELTA: [1.0]}] * guard.TRIES)
    assert guard.main() == 1
    assert len(asked) == guard.TRIES


def test_recording_keeps_the_margins(record, monkeypatch):
    monkeypatch.setattr("sys.argv", ["guard", "--record"])
    measured(monkeypatch, {CALL: [4.0, 5.0, 4.234], DELTA: [1.2]})
    assert guard.main() == 0
    assert json.loads(record.read_text()) == {
        CALL.name: {"margin": 1.5, "ratio": 4.23},
        DELTA.name: {"margin": 1.5, "ratio": 1.2},
    }


def test_every_case_has_a_recorded_limit():
    assert set(json.loads(guard.RECORD.read_text())) == {case.name for case in CASES}
