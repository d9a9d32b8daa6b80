"""The Codex CLI talks to the simulator as to the upstream: over a WebSocket, HTTP, and from one to the other.

It has a home of its own, and what it would load over the network is off. The only command that the simulator
asks for, `cmd`, is a function of the profile in that home.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.agents.conftest import HERE, Finished, Shell, Upstream

pytestmark = pytest.mark.agents

CODEX = HERE / "node_modules/.bin/codex"
OPTIONS = ("--json", "--strict-config", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
PROFILE = 'cmd() { echo "$1.5 m"; }\n'
CONFIG = """
model = "{model}"
model_provider = "simulator"
check_for_update_on_startup = false

[analytics]
enabled = false

[features]
apps = false
plugins = false
shell_snapshot = false

[model_providers.simulator]
name = "Simulator"
base_url = "{url}"
env_key = "SIMULATOR_KEY"
wire_api = "responses"
supports_websockets = {websockets}
request_max_retries = 0
stream_max_retries = 0
"""
RUN_SCRIPT = "sim:custom(n=2, input=\"text(await tools.exec_command({cmd: 'cmd 6'}))\")"
LOOPS = {
    "gpt-6-astra": (RUN_SCRIPT, ["6.5 m\n", "6.5 m\n"], "Thank you."),
    "unheard-of": ("sim:tools(n=2)", ["1.5 m\n", "2.5 m\n"], "I called exec_command 2 times."),
}
"""A model → the message that asks for a tool loop, what its commands print, and how the answer begins.

Codex offers a model that it knows a custom tool for scripts, and any other one functions.
"""


@dataclass(frozen=True)
class Codex:
    """One thread of the Codex CLI; each message continues it in a new process."""

    shell: Shell
    said: list[Finished] = field(default_factory=list)

    def configure(self, upstream: Upstream, model: str = "gpt-6-astra", *, websockets: bool = True) -> None:
        config = CONFIG.format(url=upstream.url, model=model, websockets=str(websockets).lower())
        (self.shell.home / "config.toml").write_text(config)
        for name in (".profile", ".zprofile"):
            (self.shell.home / name).write_text(PROFILE)

    async def say(self, message: str) -> Finished:
        command = ("exec", "resume", "--last") if self.said else ("exec",)
        ended = await self.shell.run(
            *(CODEX, *command, *OPTIONS, message), CODEX_HOME=str(self.shell.home), SIMULATOR_KEY="k"
        )
        self.said.append(ended)
        return ended


@pytest.fixture
def codex(shell: Shell) -> Codex:
    return Codex(shell)


def completed(ended: Finished) -> list[dict[str, Any]]:
    """Return the items of a turn that must have ended well."""
    events = [json.loads(line) for line in ended.lines]
    assert (ended.code, events[-1]["type"]) == (0, "turn.completed"), ended
    return [event["item"] for event in events if event["type"] == "item.completed"]


async def converse(codex: Codex, model: str = "gpt-6-astra") -> None:
    """Let the upstream search, then call an MCP server; then let it ask for two commands in one thread."""
    searched = completed(await codex.say("sim:web_search(thoughts=true)"))
    kinds = [item["type"] for item in searched if item["type"] != "error"]
    assert kinds == ["reasoning", "web_search", "web_search", "reasoning", "web_search", "agent_message"]
    assert searched[-1]["text"] == "High tide is at six. [1]"
    assert completed(await codex.say("sim:mcp(approval=false)"))[-1]["text"] == "The tide is at 2.4 m."
    loop, outputs, answer = LOOPS[model]
    items = completed(await codex.say(loop))
    commands = [item for item in items if item["type"] == "command_execution"]
    assert [command["aggregated_output"] for command in commands] == outputs
    assert items[-1]["text"].startswith(answer)


@pytest.mark.parametrize("model", LOOPS)
async def test_over_its_websocket(codex, upstream, model):
    codex.configure(upstream, model)
    await converse(codex, model)
    stats, requests = upstream.stats(), upstream.requests()
    assert (stats["connections_total"], stats["http_requests"]) == (3, 0)
    # Each process warms up first; the last one sends the output of its two commands.
    generated = [False, True, False, True, False, True, True, True]
    assert [request["generate"] for request in requests] == generated
    assert stats["completed"] == len(generated)
    for request, before in zip(requests[1:], requests[:-1], strict=True):
        continued = before["response_id"] if request["generate"] else None
        assert request["previous_response_id"] == continued
    assert [request["new_items"] for request in requests[-2:]] == [1, 1]
    assert not any(request["repeated_items"] for request in requests)


@pytest.mark.parametrize("model", LOOPS)
async def test_over_http(codex, upstream, model):
    codex.configure(upstream, model, websockets=False)
    await converse(codex, model)
    stats, requests = upstream.stats(), upstream.requests()
    assert (stats["handshakes"], stats["http_requests"], stats["completed"]) == (0, 5, 5)
    assert not any(request["previous_response_id"] for request in requests)
    sent = [request["new_items"] for request in requests]
    assert sent == sorted(set(sent)), "each request has all items of the one before, and more"


async def test_a_refused_websocket_makes_it_use_http(codex, upstream):
    upstream.change(refuse_websocket=426)
    codex.configure(upstream)
    await converse(codex)
    stats = upstream.stats()
    assert (stats["handshakes"], stats["refused"], stats["http_requests"], stats["completed"]) == (3, 3, 5, 5)


@pytest.mark.parametrize("websockets", [True, False])
async def test_a_refusal_is_what_it_shows(codex, upstream, websockets):
    codex.configure(upstream, websockets=websockets)
    ended = await codex.say("sim:fail(status=400, code=dry, message=Out of tides.)")
    last = json.loads(ended.lines[-1])
    assert (ended.code, last["type"]) == (1, "turn.failed")
    assert "Out of tides." in last["error"]["message"]
    assert upstream.stats()["failed"] == 1
