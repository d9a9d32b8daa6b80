"""`trunkline chat` where the model waits for a person, against a scripted service."""

import asyncio
import sys

import pytest

import trunkline
from tests.e2e.pseudoterminal import CTRL_C, CTRL_D, on_a_terminal
from tests.integration.client.scripted import START, done, says
from trunkline import action_result, approval, upstream_item, user

SEARCH = upstream_item({"type": "web_search_call", "id": "ws_1", "action": {"query": "trunk"}})
REQUEST = upstream_item(
    {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "shop", "name": "buy", "arguments": "{}"}
)
SHELL = upstream_item({"type": "shell_call", "call_id": "c1", "action": {"commands": ["ls"]}})
PROMPT = r"\n> "

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def chat(service):
    return on_a_terminal(["-m", "trunkline", "chat", "--address", service.address])


async def typed(screen, *keys):
    for one in keys:
        await screen.waits()
        screen.type(one)


@pytest.mark.parametrize(
    ("keys", "approved"),
    [(["y\r"], True), (["what?\r", "Yes\r"], True), (["\r"], False), ([CTRL_D], False)],
)
async def test_an_approval_is_asked_for_and_sent(service, keys, approved):
    service.scripts = [[START, done(SEARCH, REQUEST)], says("Bought."), says("Fine.")]
    async with chat(service) as screen:
        await screen.shows(PROMPT)
        await typed(screen, "Buy.\r")
        await screen.shows(r"\* web search: trunk\n")
        await screen.shows(r"\* mcp approval request: shop\.buy \{\}\n")
        for key in keys:
            await screen.shows(r"Approve shop\.buy\? \[y/N\] ")
            await typed(screen, key)
        await screen.shows(r"Bought\.")
        await screen.shows(PROMPT)
        await typed(screen, "Good?\r")
        await screen.shows(r"Fine\.")
        await screen.shows(PROMPT)
        await typed(screen, CTRL_D)
        assert await screen.ends() == 0
    turns = [request for request in service.requests if hasattr(request, "messages")]
    assert turns[1].messages[-1] == action_result(approval(REQUEST.upstream_item, approved))
    assert [len(turn.messages) for turn in turns] == [1, 3, 5]


async def test_a_turn_that_waits_for_nobody_is_not_kept(service):
    service.scripts = [[START, done(SHELL)], [START, done(REQUEST)], says("Hi.")]
    async with chat(service) as screen:
        await screen.shows(PROMPT)
        await typed(screen, "List.\r")
        await screen.shows(r"\* shell: ls\n")
        await screen.shows(r"It waits for what nobody here does: shell\. This turn is not kept\.")
        await screen.shows(PROMPT)
        await typed(screen, "Buy.\r")
        await screen.shows(r"Approve shop\.buy\? \[y/N\] ")
        await typed(screen, CTRL_C)
        await screen.shows("Ctrl-C once more")
        await screen.shows(PROMPT)
        await typed(screen, "Hello.\r")
        await screen.shows(r"Hi\.")
        await screen.shows(PROMPT)
        await typed(screen, CTRL_D)
        assert await screen.ends() == 0
    assert list(service.requests[2].messages) == [user("Hello.")]


async def test_a_pipe_ends_where_the_model_waits(service):
    service.scripts = [[START, done(trunkline.text("Well."), REQUEST)]]
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "trunkline", "chat", "--address", service.address]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    _, err = await process.communicate(b"Buy.\nAnd again.\n")
    assert process.returncode == 1
    assert "nobody here does: mcp approval request" in err.decode()
