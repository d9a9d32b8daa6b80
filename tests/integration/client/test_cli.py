"""The program `trunkline` as scripts use it: pipes, JSON and exit codes, against the whole service."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.integration.auth.pki import HOST, Authority
from tests.integration.service.conftest import replica, start
from trunkline import AsyncClient
from trunkline.cli.arguments import ADDRESS, TOKEN

__all__ = ["replica", "start"]

PATIENCE_S = 60.0
NOBODY = "127.0.0.1:1"
TOOLS = '''
from trunkline import tool

@tool
def lookup(query: str) -> str:
    """Looks something up."""
    return f"found {query}"
'''


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def records(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def types(self):
        return [record["type"] for record in self.records]


@asynccontextmanager
async def running(replica, *arguments, **environ):
    """The program, killed if it still runs in the end."""
    clean = {name: value for name, value in os.environ.items() if name not in (ADDRESS, TOKEN)}
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "trunkline", *arguments]
    settings = {ADDRESS: replica.address, **environ}
    process = await asyncio.create_subprocess_exec(
        *command, env=clean | settings, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def run(replica, *arguments, stdin=b"", **environ):
    async with running(replica, *arguments, **environ) as process:
        out, err = await process.communicate(stdin)
    return Ended(process.returncode, out.decode(), err.decode())


async def test_a_piped_chat_answers_on_stdout_and_reports_on_stderr(replica):
    ended = await run(
        replica, "chat", stdin=b"sim:say(text=One.)\n\nsim:reason(summary=Hm.)\nsim:say(text=Three.)"
    )
    assert ended.code == 0
    first, _, third = ended.out.splitlines()
    assert (first, third) == ("One.", "Three.")
    assert [
        line.partition(" · ")[2].partition(" · ")[0] for line in ended.err.splitlines() if "·" in line
    ] == [
        "full (first_turn)",
        "incremental (continued)",
        "incremental (continued)",
    ]
    assert "Hm.\n" in ended.err
    # The session was its own, so it is forgotten.
    assert (await run(replica, "sessions", "--json")).records == []


async def test_a_chat_in_json_with_tools(replica, tmp_path):
    tools = tmp_path / "tools.py"
    tools.write_text(TOOLS)
    ended = await run(
        replica, "chat", "--json", "--tools", str(tools), "--session", "s7", stdin=b"sim:tools(n=1)\n"
    )
    assert (ended.code, ended.err) == (0, "")
    assert [kind for kind in ended.types if not kind.endswith("_delta")] == [
        "start",
        "done",
        "tool_results",
        "start",
        "done",
    ]
    last = ended.records[-1]
    assert last["text"].startswith("I called lookup 1 times. Results: 1: found ")
    assert (last["stop_reason"], last["report"]["context"]) == ("stop", "incremental")
    assert [session["turns"] for session in (await run(replica, "sessions", "--json")).records] == [2]


async def test_options_of_a_chat(replica):
    ended = await run(
        replica,
        *("chat", "--json", "--model", "m2", "--instructions", "Be kind.", "--transport", "sse"),
        *("--reasoning", "low"),
        stdin=b"Hello\n",
    )
    body = replica.simulator.requests[-1].body
    assert (body["model"], body["instructions"]) == ("m2", "Be kind.")
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert ended.records[-1]["report"]["transport"] == "sse"


async def test_a_chat_that_is_resumed_answers_as_any_other(replica):
    ended = await run(
        replica, "chat", "--json", "--resume", stdin=b"sim:say(text=One.)\nsim:say(text=Two.)\n"
    )
    assert (ended.code, ended.err) == (0, "")
    assert [record["text"] for record in ended.records if record["type"] == "done"] == ["One.", "Two."]


async def test_a_line_that_is_not_utf8_is_still_a_turn(replica):
    ended = await run(replica, "chat", stdin=b"sim:echo na\xefve \xff\n")
    assert ended.code == 0
    assert ended.out == "na\ufffdve \ufffd\n"


async def test_the_first_turn_that_fails_ends_a_piped_chat(replica):
    fails = b"sim:fail(code=rate_limit_exceeded,status=429,kind=requests,retry_after=7,message=Slow)\nHello\n"
    ended = await run(replica, "chat", stdin=fails)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.splitlines()[-2:] == [
        "RATE_LIMITED: the upstream reported an error (rate_limit_exceeded): Slow",
        "  Retryable after 7.0 s; it reached the model, so another try may cost again.",
    ]
    record = (await run(replica, "chat", "--json", stdin=fails)).records[-1]
    assert (record["type"], record["reason"], record["retry_after"]) == ("error", "RATE_LIMITED", 7.0)


async def talks(process):
    """Until the model does."""
    process.stdin.write(b"sim:slow(n=100000,delay_ms=20)\n")
    while b"text_delta" not in await process.stdout.readline():
        pass


@pytest.mark.parametrize("resume", [(), ("--resume",)], ids=["", "resume"])
async def test_an_interrupt_ends_a_piped_chat_and_its_turn(replica, resume):
    async with running(replica, "chat", "--json", *resume) as process, asyncio.timeout(PATIENCE_S):
        await talks(process)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")
    assert json.loads(out.splitlines()[-1]) == {"type": "stopped"}
    await replica.simulator.wait_for(lambda: not replica.simulator.stats.in_flight, PATIENCE_S)


async def test_an_interrupt_while_nothing_runs(replica):
    async with running(replica, "chat") as process, asyncio.timeout(PATIENCE_S):
        process.stdin.write(b"sim:say(text=One.)\n")
        await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130


async def test_without_a_standard_input_there_is_nothing_to_say(replica):
    command = f"{sys.executable} -m trunkline chat <&-"
    pipe = asyncio.subprocess.PIPE
    environ = os.environ | {ADDRESS: replica.address}
    process = await asyncio.create_subprocess_shell(command, env=environ, stdout=pipe, stderr=pipe)
    assert await process.communicate() == (b"", b"")
    assert process.returncode == 0


async def test_sessions_are_warmed_shown_and_released(replica):
    warm = await run(replica, "warm", "s1", "--prime", "--instructions", "Be kind.")
    assert (warm.code, warm.out) == (0, "s1: the line is open\n")
    assert replica.simulator.requests[-1].body["instructions"] == "Be kind."
    (record,) = (await run(replica, "warm", "s2", "--json")).records
    assert (record["type"], record["session_id"], record["live"]) == ("session", "s2", True)

    shown = await run(replica, "sessions")
    heading, *rows = shown.out.splitlines()
    assert (shown.code, heading.split()[0]) == (0, "SESSION")
    assert [row.split()[0] for row in rows] == ["s1", "s2"]
    assert shown.err == "2 sessions on 1 replica\n"

    assert (await run(replica, "release", "s1")).out == "s1: released\n"
    assert (await run(replica, "release", "s2", "--json")).records == [
        {"type": "released", "address": replica.address, "session_id": "s2"}
    ]
    assert len((await run(replica, "sessions", "--once")).out.splitlines()) == 1


async def test_a_running_turn_is_shown_and_cancelled(replica):
    chat = ("chat", "--json", "--session", "s1", "--resume")
    async with running(replica, *chat) as process, asyncio.timeout(PATIENCE_S):
        await talks(process)
        (session,) = (await run(replica, "sessions", "--json")).records
        (turn,) = session["running_turns"]
        assert (turn["attached"], turn["ended"], turn["last_sequence"] > 0) == (True, False, True)
        assert f"  {turn['turn_id']} · since" in (await run(replica, "sessions")).out
        ended = await run(replica, "cancel", "s1", "--turn", turn["turn_id"])
        assert (ended.code, ended.out) == (0, "s1: the turn is cancelled\n")
        out, _ = await process.communicate()
    assert process.returncode == 1
    assert json.loads(out.splitlines()[-1])["reason"] == "CANCELLED"
    ended = await run(replica, "cancel", "s1", "--turn-key", turn["turn_key"], "--json")
    assert (ended.code, ended.records[0]["reason"]) == (1, "TURN_NOT_FOUND")


async def test_sessions_of_several_replicas(start):
    blue = await start({"REPLICA": "blue"})
    green = await start({"REPLICA": "green"})
    for one, session in ((green, "a"), (blue, "b")):
        async with AsyncClient(one.address) as client:
            await client.conversation(session, model="m").complete("Hello.")
    where = ("--address", blue.address, "--address", green.address)
    rows = (await run(blue, "sessions", *where)).out.splitlines()[1:]
    assert [row.split()[:6] for row in rows] == [
        ["a", "green", "open", "idle", "1", "0"],
        ["b", "blue", "open", "idle", "1", "0"],
    ]

    ended = await run(blue, "sessions", *where, "--address", NOBODY)
    assert (ended.code, len(ended.out.splitlines())) == (3, 3)
    assert f"{NOBODY}: UNAVAILABLE" in ended.err
    ended = await run(blue, "sessions", "--json", *where, "--address", NOBODY)
    assert ended.types == ["session", "session", "error"]
    assert [record.get("replica") for record in ended.records] == ["blue", "green", None]


async def test_health(replica):
    ended = await run(replica, "health")
    assert (ended.code, ended.out) == (0, f"{replica.address}  serving\n")
    ended = await run(replica, "health", "--json", "--address", replica.address, "--address", NOBODY)
    assert (ended.code, ended.types) == (3, ["health", "error"])
    replica.server.not_serving()
    ended = await run(replica, "health")
    assert (ended.code, ended.out) == (3, f"{replica.address}  not_serving\n")


@pytest.mark.parametrize("command", [["chat"], ["warm", "s"], ["release", "s"]])
async def test_nobody_there(replica, command):
    ended = await run(replica, *command, "--address", NOBODY, stdin=b"Hello\n")
    assert (ended.code, ended.out) == (3, "")
    assert f"Nobody answers at {NOBODY}" in ended.err


async def test_who_calls(start):
    replica = await start({"AUTH_TOKENS": "t0ken=me"})
    refused = await run(replica, "release", "s")
    assert refused.code == 1
    assert refused.err.startswith("UNAUTHENTICATED: ")
    assert (await run(replica, "release", "s", **{TOKEN: "t0ken"})).code == 0
    assert (await run(replica, "release", "s", "--token", "t0ken")).code == 0
    (record,) = (await run(replica, "warm", "s", "--json")).records
    assert (record["type"], record["reason"]) == ("error", "UNAUTHENTICATED")


async def test_a_reader_that_has_enough(replica):
    async with running(replica, "chat") as process:
        process.stdout._transport.close()
        _, err = await process.communicate(b"sim:long(bytes=1000000)\nHello\n")
    assert process.returncode == 1
    assert b"Traceback" not in err


async def test_a_service_that_wants_a_certificate(start, tmp_path):
    authority = Authority(tmp_path, "ca")
    serves, calls = authority.issue("serves", HOST), authority.issue("calls")
    replica = await start(
        {
            "TLS_CERT": str(serves.path),
            "TLS_KEY": str(serves.key_path),
            "TLS_CLIENT_CA": str(authority.path),
        }
    )
    files = ("--ca", str(authority.path), "--cert", str(calls.path), "--key", str(calls.key_path))
    ended = await run(replica, "health", *files)
    assert (ended.code, ended.out) == (0, f"{replica.address}  serving\n")
    ended = await run(replica, "chat", *files, stdin=b"sim:say(text=Safe.)")
    assert (ended.code, ended.out) == (0, "Safe.\n")
    assert (await run(replica, "health", *files[:2])).code == 3
    assert (await run(replica, "health", "--ca", str(calls.path))).code == 3
