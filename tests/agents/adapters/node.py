"""Run the Node programs of this folder, and the examples in the READMEs of the TypeScript adapters."""

import json
import re
from pathlib import Path
from typing import Any

from tests.agents.adapters.conftest import Trunk
from tests.agents.conftest import HERE, Finished, Shell
from tests.e2e.conftest import ROOT

MODULES = HERE / "node_modules"
ADAPTERS = ROOT / "clients/typescript/src"


async def converse(
    shell: Shell, trunk: Trunk, program: str, how: str, *messages: str
) -> list[dict[str, Any]]:
    """Run a program to its end, and return what it has shown: a JSON object for each message."""
    ended = await shell.run("node", Path(__file__).with_name(program), trunk.address, how, *messages)
    assert ended.code == 0, ended.errors
    turns = [json.loads(line) for line in ended.lines]
    assert len(turns) == len(messages), ended.errors
    return turns


async def run_example(shell: Shell, trunk: Trunk, adapter: str) -> Finished:
    """Run the first program of an adapter's README in an empty folder with its packages."""
    readme = (ADAPTERS / adapter / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```js\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert found
    (shell.home / "chat.mjs").write_text(found[1], encoding="utf-8")
    (shell.home / "node_modules").symlink_to(MODULES)
    return await shell.run("node", "chat.mjs", TRUNK_ADDRESS=trunk.address)
