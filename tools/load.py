"""Hold conversations of all kinds with the simulator, gently and without end: `python -m tools.load`.

What they ask for are the simulator's directives, and their model is its own: a real upstream refuses it, so
nothing is spent by mistake.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from trunkline import AsyncClient, AsyncConversation, TextDelta, TrunklineError, tool

MODEL = "simulated-1"
MAX_CONVERSATIONS = 50
"""At once: beyond it none begins until one ends, however slow the service is."""
THINKING_S = 2.0
"""What a person takes between an answer and the next question."""


@tool
def clock() -> str:
    """The time of day."""
    return f"{datetime.now(UTC):%H:%M}"


def asking(
    *questions: str, transport: Literal["auto", "sse"] = "auto"
) -> Callable[[AsyncConversation], Awaitable[None]]:
    """Make a conversation of these questions, one after the other."""

    async def held(conversation: AsyncConversation) -> None:
        for number, question in enumerate(questions):
            await asyncio.sleep(THINKING_S if number else 0)
            await conversation.complete(question, transport=transport)

    return held


async def with_tools(conversation: AsyncConversation) -> None:
    await conversation.run("sim:tools(n=2)", tools=[clock]).result()
    await conversation.complete("Thank you.")


async def left(conversation: AsyncConversation) -> None:
    """The caller leaves in the middle of the answer."""
    async with conversation.stream("sim:slow(n=100, delay_ms=50)") as turn:
        async for event in turn:
            if isinstance(event, TextDelta):
                return


async def edited(conversation: AsyncConversation) -> None:
    """The caller changes what was said, so the next turn is full."""
    await conversation.complete("A question with a mistake in it.")
    conversation.messages.clear()
    await conversation.complete("A question.")


KINDS: dict[str, Callable[[AsyncConversation], Awaitable[None]]] = {
    "short": asking("Hello.", "And again.", "Thank you."),
    "slow": asking("sim:slow(n=60, delay_ms=50)", "sim:slow(n=30, delay_ms=100)"),
    "reasoning": asking("sim:reason()", "Why?"),
    "long": asking("sim:long(bytes=20000)", "Shorter, please."),
    "tools": with_tools,
    "sse": asking("Hello.", "And again.", transport="sse"),
    "edited": edited,
    "left": left,
    "failing": asking("sim:fail()"),
    "cut": asking("sim:drop()"),
}


async def hold(client: AsyncClient, kind: str) -> None:
    """Hold one conversation. A failure ends it, and nothing else: it is what some are for."""
    conversation = client.conversation(model=MODEL)
    with suppress(TrunklineError):
        await KINDS[kind](conversation)


async def run(client: AsyncClient, rate: float) -> None:
    """Begin `rate` conversations a second, kind by kind, until it is cancelled."""
    room = asyncio.Semaphore(MAX_CONVERSATIONS)

    async def one(kind: str) -> None:
        try:
            await hold(client, kind)
        finally:
            room.release()

    async with asyncio.TaskGroup() as group:
        for kind in itertools.cycle(KINDS):
            await room.acquire()
            group.create_task(one(kind))
            await asyncio.sleep(1 / rate)


async def main() -> None:
    parser = argparse.ArgumentParser(description="Hold conversations of all kinds with the simulator.")
    parser.add_argument("--address", default="127.0.0.1:50051", help="of the service (%(default)s)")
    parser.add_argument("--rate", type=float, default=1.0, help="conversations a second (%(default)s)")
    given = parser.parse_args()
    if given.rate <= 0:
        parser.error("--rate must be above 0")
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    print(f"load: {given.rate:g} conversations a second with {given.address}", flush=True)
    async with AsyncClient(given.address, token=os.environ.get("TRUNK_TOKEN") or None) as client:
        with suppress(asyncio.CancelledError):
            await run(client, given.rate)


if __name__ == "__main__":
    asyncio.run(main())
