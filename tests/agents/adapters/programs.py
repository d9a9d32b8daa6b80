"""Run the Python programs of this folder, and the examples in the adapters' READMEs, as their users would."""

import json
import re
from pathlib import Path
from typing import Any

from tests.agents.adapters.conftest import Trunk
from tests.agents.conftest import HERE, Finished, Shell
from tests.e2e.conftest import ROOT

PYTHON = HERE / ".venv/bin/python"
CLIENT = ROOT / "clients/python"


async def play(shell: Shell, trunk: Trunk, program: str, scenario: str) -> list[dict[str, Any]]:
    """Run a scenario to its end, and return what it has shown: a JSON object a line."""
    command = (PYTHON, Path(__file__).with_name(program), trunk.address, scenario)
    ended = await shell.run(*command, PYTHONPATH=str(CLIENT))
    assert ended.code == 0, ended.errors
    return [json.loads(line) for line in ended.lines]


async def run_example(shell: Shell, trunk: Trunk, adapter: str) -> Finished:
    """Run the first program of an adapter's README in an empty folder."""
    readme = (CLIENT / "trunkline" / adapter / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert found
    example = shell.home / "example.py"
    example.write_text(found[1], encoding="utf-8")
    return await shell.run(PYTHON, example, TRUNK_ADDRESS=trunk.address, PYTHONPATH=str(CLIENT))
