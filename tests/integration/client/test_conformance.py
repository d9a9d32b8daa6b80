"""Both faces of this client print what all clients print. A few scenarios; clients/conformance/ runs all."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from clients.conformance.cutting import cutting
from tests.integration.service.conftest import replica, start

__all__ = ["replica", "start"]

ROOT = Path(__file__).parents[3]
SCENARIOS = ROOT / "clients/conformance/scenarios.json"
EXPECTED = ROOT / "clients/conformance/expected.txt"
NAMES = (
    "text",
    "incremental",
    "tool_loop",
    "reasoning",
    "error_after_content",
    "unicode",
    "sessions",
    "hosted_search",
    "custom_tool",
    "approved",
    "compact",
    "continuation",
    "turn_key",
    "turn_cancelled",
    "resume",
    "resume_complete",
    "resume_cancel",
)


def expected(names):
    """In the order of the scenarios, whatever that of the names."""
    blocks = ("\n" + EXPECTED.read_text(encoding="ascii")).split("\n== ")[1:]
    return [block.strip("\n") for block in blocks if block.partition("\n")[0] in names]


@pytest.mark.parametrize("face", [[], ["--sync"]], ids=["async", "sync"])
async def test_the_transcript(replica, face):
    with cutting(replica.address) as (address, control):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(str(ROOT / "clients/python/conformance.py"), *face, address, str(SCENARIOS), *NAMES),
            env=os.environ | {"CONFORMANCE_CUT": control},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    blocks = ("\n" + out.decode("ascii")).split("\n== ")[1:]
    assert [block.strip("\n") for block in blocks] == expected(NAMES)
