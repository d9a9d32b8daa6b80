"""The command line, as a process of its own."""

import asyncio
import signal
import sys

import httpx
import pytest

from simulator.scripts import BUILDERS


async def start(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, stdout=pipe, stderr=pipe
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serves_until_a_signal(number):
    options = ("--refuse-websocket", "426", "--max-age-s", "5", "--delay-ms", "1", "--dialect", "copilot")
    process = await start("--port", "0", *options)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("simulator: listening on http://127.0.0.1:")
    url = line.split()[-1]
    async with httpx.AsyncClient() as client:
        settings = (await client.get(url.replace("/v1", "/sim/settings"))).json()
    assert (settings["refuse_websocket"], settings["max_age_s"], settings["delay_s"]) == (426, 5.0, 0.001)
    assert settings["dialect"]["rotating_ids"] is True
    process.send_signal(number)
    out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_a_port_in_use_is_one_line(sim):
    process = await start("--port", str(sim.port))
    out, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode() == f"simulator: cannot listen on 127.0.0.1:{sim.port}: Address already in use\n"
    assert out == b""


async def test_the_help_lists_every_answer_by_name():
    process = await start("--help")
    out, _ = await process.communicate()
    listed = {line.split("(")[0].strip() for line in out.decode().splitlines() if line.startswith("  sim:")}
    assert listed == {f"sim:{name}" for name in BUILDERS}
