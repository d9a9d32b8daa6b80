"""`python -m service`, as far as it gets without serving."""

import os
import subprocess
import sys

import pytest


def run(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service"],
        env={"PATH": os.environ["PATH"]} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("setting", ["TRUNKLINE_MAX_TURNS", "TRUNKLINE_LISTEN"])
def test_a_wrong_setting_ends_with_code_two_and_its_name(setting):
    ended = run(**{setting: "no such value", "OPENAI_API_KEY": "s3cret"})
    assert ended.returncode == 2
    assert setting in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "s3cret" not in ended.stderr


def test_every_wrong_setting_is_reported_at_once():
    ended = run(TRUNKLINE_MAX_TURNS="x", TRUNKLINE_QUEUE_SIZE="y")
    lines = ended.stderr.splitlines()
    assert all(line.startswith("trunkline: ") for line in lines)
    assert {"TRUNKLINE_MAX_TURNS", "TRUNKLINE_QUEUE_SIZE"} <= {
        word for line in lines for word in line.split()
    }
