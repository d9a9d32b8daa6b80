"""`trunkline` at a terminal: a person types, and Ctrl-C is a key."""

import asyncio
import re
import sys

import pytest

from tests.e2e.conftest import PATIENCE_S, World
from tests.e2e.pseudoterminal import CTRL_C, CTRL_D, Screen, on_a_terminal
from trunkline import AsyncClient

ENDLESS = "sim:slow(n=100000,delay_ms=20)\r"
HINT = "Ctrl-C once more, or Ctrl-D, leaves"
LAST_LOOK = "\033[?25h\033[?1049l"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


async def prompt(screen: Screen) -> None:
    await screen.shows(r"\n> ")
    await screen.waits()


def trunkline(world: World, *arguments: str):
    return on_a_terminal(["-m", "trunkline", *arguments, "--address", world.address])


async def in_flight(world: World, count: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await world.ask("/sim/stats"))["in_flight"] != count:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)


async def test_ctrl_c_stops_the_turn_and_not_the_program(world):
    async with trunkline(world, "chat") as screen:
        await prompt(screen)
        for _ in range(2):
            screen.type(ENDLESS)
            await screen.shows(r"word3 ")
            screen.type(CTRL_C)
            await screen.shows(r"Stopped\. This turn is not kept\.")
            await prompt(screen)
            await in_flight(world, 0)
        screen.type("sim:say(text=Still here.)\r")
        await screen.shows(r"\nStill here\.\n")
        await prompt(screen)
        screen.type(CTRL_D)
        assert await screen.ends() == 0


async def test_the_second_ctrl_c_at_the_prompt_leaves(world):
    async with trunkline(world, "chat") as screen:
        await prompt(screen)
        screen.type("half a line" + CTRL_C)
        await screen.shows(HINT)
        await prompt(screen)
        screen.type("sim:say(text=In between.)\r")
        await screen.shows(r"\nIn between\.\n")
        await prompt(screen)
        screen.type(CTRL_C)
        await screen.shows(HINT)
        await prompt(screen)
        screen.type(CTRL_C)
        assert await screen.ends() == 130
    assert "half a line" not in str(await world.ask("/sim/requests"))


async def test_a_service_that_dies_does_not_end_the_chat(world):
    async with trunkline(world, "chat", "--session", "s1") as screen:
        await prompt(screen)
        screen.type(ENDLESS)
        await screen.shows(r"word3 ")
        world.service.process.kill()
        await screen.shows(r"\nUNAVAILABLE: ")
        await screen.shows(f"Nobody answers at {world.address}")
        await prompt(screen)
        screen.type(CTRL_D)
        assert await screen.ends() == 0


async def test_nothing_that_the_model_says_steers_the_terminal(world):
    async with trunkline(world, "chat") as screen:
        await prompt(screen)
        await world.ask("/sim/enqueue", ['sim:say(text="a\x1b[2Jb")'])
        screen.type("Hello.\r")
        await screen.shows("\na␛\\[2Jb\n")
        await prompt(screen)
        screen.type(CTRL_D)
        assert await screen.ends() == 0


async def test_commands(world):
    async with trunkline(world, "chat") as screen:

        async def types(line: str, shown: str) -> str:
            await prompt(screen)
            screen.type(f"{line}\r")
            found: str = await screen.shows(shown)
            return found

        await types("/help", r"\n/model NAME .*(?s:.*)\nA space before the slash")
        await types("/report", "No turn of this conversation has ended")
        await types("sim:say(text=One.)", r"\nOne\.\n.*full \(first_turn\)")
        await types("/model m2", "From the next turn on: m2")
        await types("sim:say(text=Two.)", r"\nTwo\.\n")
        copy = await types("/fork", r"A copy, session \w+; /back returns to \w+\.")
        await types("sim:say(text=Three.)", r"\nThree\.\n")
        assert await types("/back", r"Back in session (\w+)\.") in copy.replace(
            "/back returns to", "Back in session"
        )
        await types("sim:say(text=Four.)", r"\nFour\.\n")
        report = await types("/report", r"(?s)last turn .*\nall turns .*? saved(?=\n)")
        assert "\nall turns  3, 1 of them incremental (33 %)" in report
        assert re.search(r"\nresponse   \S+ · m2 · openai\nphases     queue ", report)
        await types("/new", r"A new conversation, session \w+\.")
        await types("sim:say(text=Five.)", r"\nFive\.\n")
        await types("/quit now", r"There is no /quit; /help lists")
        await types("/new now", r"/new takes nothing after it\.")
        await types(" /etc/hosts", r"You said: \"\s*/etc/hosts\"")
        await prompt(screen)
        screen.type(CTRL_D)
        assert await screen.ends() == 0
    seen = await world.ask("/sim/requests")
    # The copy leaves the chain of its original as it was: the turn after it is incremental.
    assert [(one["new_items"], one["known_items"]) for one in seen] == [
        (1, 0),
        (3, 0),
        (5, 0),
        (1, 4),
        (1, 0),
        (1, 2),
    ]
    async with AsyncClient(world.address) as client:
        assert [session async for session in client.sessions()] == []  # all were the chat's own


async def test_lines_break_between_words(world):
    async with trunkline(world, "chat") as screen:
        await prompt(screen)
        screen.type("sim:words(n=60)\r")
        answer = await screen.shows(r"(?s)\nword1 .*?word60\n")
        await prompt(screen)
        screen.type(CTRL_D)
        assert await screen.ends() == 0
    lines = answer.strip().splitlines()
    assert " ".join(lines).split() == [f"word{number}" for number in range(1, 61)]
    assert [90 < len(line) <= 100 for line in lines] == [True] * (len(lines) - 1) + [False]


async def test_the_table_of_sessions_lives_until_ctrl_c(world):
    async with AsyncClient(world.address) as client:
        conversation = client.conversation("first", model="m")
        await conversation.complete("Hello.")
        async with trunkline(world, "sessions", "--interval", "0.1") as screen:
            await screen.shows(r"1 session on 1 replica · 0 of 1 turn incremental \(0 %\)")
            await screen.shows(r"\nfirst +\S+ +open +idle +1 +0 % ")
            await conversation.complete("And again.")
            await client.warm_session("second")
            await screen.shows(r"2 sessions on 1 replica · 1 of 2 turns incremental \(50 %\)")
            await screen.shows(r"\nfirst +\S+ +open +idle +2 +50 % .*\nsecond ")
            world.service.process.kill()
            await screen.shows(f"\n{world.address}: UNAVAILABLE")
            screen.type(CTRL_C)
            assert await screen.ends() == 130
            # After the live table the terminal is as it was, and the last look stays.
            await screen.shows("(?s)SESSION.*UNAVAILABLE")
    assert screen.raw.count(LAST_LOOK) == 1
    assert "SESSION" in screen.raw.partition(LAST_LOOK)[2]
