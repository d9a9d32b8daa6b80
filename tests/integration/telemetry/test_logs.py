"""Test the log: one line for each turn, changes at DEBUG, never a secret or a prompt."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
from contextlib import asynccontextmanager

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub
from simulator import Simulator
from simulator.scripts import Drop, Fail, Garbage, Hang, Say, Script, Start
from tests.otlp import http_receiver
from tests.stack import request

KEY, TOKEN, PROMPT, ANSWER = "sk-k3y", "t0k3n", "pr0mpt", "4nsw3r"
BEARER = (("authorization", f"Bearer {TOKEN}"),)
SECRETS = (KEY, TOKEN, PROMPT, ANSWER)


class Said:
    """A running service and its log."""

    def __init__(self, process, address, lines):
        self.process, self.address, self.lines = process, address, lines

    async def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.lines += (await self.process.stderr.read()).decode().splitlines()
        assert await self.process.wait() == 0
        return self.lines


@asynccontextmanager
async def service(simulator, **environ):
    ours = {
        "OPENAI_API_KEY": KEY,
        "TRUNKLINE_LISTEN": "127.0.0.1:0",
        "TRUNKLINE_UPSTREAM_URL": simulator.url,
        "TRUNKLINE_AUTH_TOKENS": f"{TOKEN}=acme",
        "TRUNKLINE_DRAIN_GRACE_S": "1",
    }
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("TRUNKLINE_", "OTEL_"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", env=clean | ours | environ, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        lines = [(await process.stderr.readline()).decode()]
        found = re.search(r"listening on (127\.0\.0\.1:\d+)", lines[0])
        assert found, lines
        yield Said(process, found[1], lines)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(call):
    try:
        async for _ in call:
            pass
    except grpc.RpcError:
        pass
    return await call.code()


async def everything(stub, simulator):
    """Run a turn of every kind. Upstream errors repeat the prompt, as real ones do."""
    asked = request(PROMPT, request_id="r-7")
    scripts = {
        "ok": Script(Say(ANSWER)),
        "replayed": Script(Start(), Drop()),
        "failed": Script(Say(ANSWER, closed=False), Fail(message=f"Bad: {PROMPT}")),
        "nonsense": Script(Say(ANSWER, closed=False), Garbage(f'{{"type": "{PROMPT}" '.encode())),
    }
    for script in scripts.values():
        simulator.enqueue(script)
        await ended(stub.StreamCompletion(asked, metadata=BEARER))
    simulator.enqueue(Script(Say(ANSWER, closed=False), Hang()))
    left = stub.StreamCompletion(asked, metadata=BEARER)
    while not (await left.read()).HasField("text_delta"):
        pass
    left.cancel()
    await ended(
        stub.StreamCompletion(request(PROMPT, options={"transport": pb.TRANSPORT_SSE}), metadata=BEARER)
    )
    await ended(stub.StreamCompletion(request(PROMPT), metadata=(("authorization", f"Bearer {PROMPT}"),)))
    await ended(stub.StreamCompletion(request(PROMPT, session=PROMPT + " "), metadata=BEARER))


@pytest.mark.parametrize("level", ["debug", "info"])
async def test_the_log_of_a_run_holds_no_secret_or_prompt(level):
    async with Simulator() as simulator, http_receiver() as (received, url):
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            "TRUNKLINE_LOG_LEVEL": level,
        }
        async with service(simulator, **environ) as said, grpc.aio.insecure_channel(said.address) as channel:
            await everything(CompletionServiceStub(channel), simulator)
            lines = await said.end()
    for secret in SECRETS:
        assert not [line for line in lines if secret in line]
        assert not [span for span in received.spans if secret in str(span)]
    reported = [json.loads(line) for line in lines]
    turns = [line for line in reported if line["message"] == "turn"]
    assert [turn["ending"] for turn in turns] == [
        "OK",
        "OK",
        "UPSTREAM_ERROR",
        "PROTOCOL_ERROR",
        "CANCELLED",
        "OK",
    ]
    first, replayed = turns[:2]
    assert (first["session"], first["request_id"], first["tenant"]) == ("s1", "r-7", "acme")
    assert (first["transport"], first["context"], first["attempts"]) == ("websocket", "full", 1)
    assert replayed["attempts"] == 2
    spans = {span.trace_id.hex() for span in received.spans}
    assert all(turn["trace_id"] in spans for turn in turns)
    assert bool([line for line in reported if line["level"] == "debug"]) is (level == "debug")


async def test_a_terminal_gets_console_lines():
    """A pseudo-terminal."""
    ours, theirs = pty.openpty()
    environ = {"OPENAI_API_KEY": KEY, "TRUNKLINE_LISTEN": "127.0.0.1:0", "PATH": os.environ["PATH"]}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service", env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        said = (await asyncio.to_thread(os.read, ours, 4096)).decode()
        process.terminate()
        assert await process.wait() == 0
    finally:
        os.close(ours)
    assert "trunkline listening on 127.0.0.1:" in said
    assert not said.startswith("{")
