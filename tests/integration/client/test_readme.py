"""The examples of the client's README run as they stand, one after the other, against the whole service."""

import ast
import asyncio
import inspect
import re
import sys
from pathlib import Path

from tests.integration.client.faces import AsyncFace
from tests.integration.service.conftest import replica, start
from trunkline.settings import DEFAULT_ADDRESS

__all__ = ["replica", "start"]

README = (Path(__file__).parents[3] / "clients/python/README.md").read_text()
PROGRAM, *EXAMPLES = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


async def test_the_first_program_runs(replica):
    assert DEFAULT_ADDRESS in PROGRAM
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM.replace(DEFAULT_ADDRESS, replica.address)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert [line.split()[:2] for line in out.decode().splitlines()] == [["I", "received"]] * 2
    assert [request.previous_response_id is not None for request in replica.simulator.requests] == [
        False,
        True,
    ]


def blocking(example):
    """As the README says: no `await`, and everything else has the same name."""
    return re.sub(r"\b(async|await) ", "", example)


async def test_the_examples_run_in_their_order(face, replica):
    client = face.client(replica.address)
    names = {"client": client, "__name__": "readme"}
    for example in EXAMPLES:
        if isinstance(face, AsyncFace):
            code = compile(example, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            running = eval(code, names)  # a coroutine where the example waits
            if inspect.iscoroutine(running):
                await running
        else:
            await asyncio.to_thread(exec, blocking(example), names)
    assert names["done"].text.startswith("I received")
    await face.close(client)


async def test_the_simulator_calls_the_readmes_tool(face, replica):
    """As the README says of its tools: a directive in the question."""
    (directive,) = re.findall(r'"… (sim:tools\S+)"', README)
    called = []

    def forecast(city: str) -> None:
        called.append(city)

    client = face.client(replica.address)
    conversation = client.conversation(model="m", tools=[forecast])
    done = await face.result(conversation.run(f"Shall I take an umbrella? {directive}"))
    assert (len(called), done.text[:26]) == (2, "I called forecast 2 times.")
    await face.close(client)
