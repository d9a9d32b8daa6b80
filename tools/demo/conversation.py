"""A conversation through Trunkline that checks and shows what each turn did.

A turn that differs from what it demonstrates ends the demo with exit code 1. The upstream is simulated
unless OPENAI_API_KEY and TRUNKLINE_UPSTREAM_URL are both set.
"""

import argparse
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated

from tools.demo.processes import Stack, another_replica, running_stack
from tools.demo.screen import Screen
from tools.demo.stage import TURN_TIMEOUT_S, Stage, perform
from trunkline import (
    AsyncClient,
    AsyncConversation,
    Message,
    tool,
    tool_definition,
    user,
)

INSTRUCTIONS = "You are a friendly guide. Answer in one or two sentences."
FORECAST = ("snow, -2 °C", "fog, 1 °C", "sun, -5 °C")


@tool
def forecast(day: Annotated[int, "1 is today, 3 is the last day that is known"]) -> str:
    """The weather in Oslo on one day."""
    return FORECAST[day - 1]


def item_types(messages: Iterable[Message]) -> list[str]:
    """Return the types of the upstream's items in which the parts of these messages stand."""
    return [part.upstream_item.type or "message" for message in messages for part in message.parts]


class Demo(Stage):
    """The turns, in order."""

    def __init__(self, screen: Screen, client: AsyncClient, stack: Stack, model: str) -> None:
        super().__init__(screen, stack.upstream, stack.simulated)
        self.client = client
        self.stack = stack
        self.model = model

    async def play(self) -> None:
        conversation = self.client.conversation(model=self.model, instructions=INSTRUCTIONS, tools=[forecast])
        await self.first_turn(conversation)
        await self.follow_up(conversation)
        await self.tool_loop(conversation)
        await self.edited_history(conversation)
        await self.forced_sse(conversation)
        await self.hosted_search()
        await self.killed_replica()
        if self.simulated:
            await self.refused_websocket()
        else:
            self.title("WebSocket refused", "skipped: only the simulator can refuse on demand")

    async def first_turn(self, conversation: AsyncConversation) -> None:
        self.title("First turn", "opens the connection; everything is sent")
        report = await self.turn(conversation, "Hello! What can you tell me about Oslo?", "first")
        self.claim(report, transport="websocket", context="full")

    async def follow_up(self, conversation: AsyncConversation) -> None:
        self.title("Follow-up", "the connection is warm; only new items are sent")
        report = await self.turn(conversation, "And what should I pack?", "follow-up")
        self.claim(report, transport="websocket", context="incremental")

    async def tool_loop(self, conversation: AsyncConversation) -> None:
        self.title("Tool loop", "three calls, each a turn of its own")
        text = "How will the weather be, today and on days 2 and 3? Look up day after day."
        run = conversation.run(
            self.ask(text, "sim:tools(n=3)"), timeout=TURN_TIMEOUT_S, parallel_tool_calls=False
        )
        reports = await self.show(run, "tools")
        if self.simulated:
            self.check(len(reports) == 4, f"three calls and an answer are 4 turns, not {len(reports)}")
        elif len(reports) != 4:
            self.screen.line("   this model did not make three calls and then answer", "yellow")
        for report in reports:
            self.claim(report, transport="websocket", context="incremental")

    async def edited_history(self, conversation: AsyncConversation) -> None:
        self.title("Edited history", "the past has changed, so all of it is sent again")
        conversation.messages[0] = user("Hello! What can you tell me about Bergen?")
        report = await self.turn(conversation, "Which city did I ask about first?", "edited")
        self.claim(report, transport="websocket", context="full", why="history_edited")

    async def forced_sse(self, conversation: AsyncConversation) -> None:
        self.title("Forced SSE", "one HTTP request, at the caller's request")
        turn = conversation.stream(
            self.ask("Thank you, and good-bye."), transport="sse", timeout=TURN_TIMEOUT_S
        )
        self.claim((await self.show(turn, "sse"))[-1], transport="sse", context="full")

    async def hosted_search(self) -> None:
        self.title("Hosted search", "its items and citations come back, and go back")
        conversation = self.client.conversation(
            model=self.model, instructions=INSTRUCTIONS, tools=[tool_definition({"type": "web_search"})]
        )
        question = self.ask("When is high tide in Oslo? Look it up.", "sim:web_search(citations=2)")
        report = (await self.show(conversation.stream(question, timeout=TURN_TIMEOUT_S), "search"))[-1]
        self.claim(report, transport="websocket", context="full")
        report = await self.turn(conversation, "And the next one?", "after it")
        self.claim(report, transport="websocket", context="incremental")
        history = item_types(conversation.messages)
        text = self.ask("The same history once more, by SSE.")
        turn = conversation.stream(text, transport="sse", timeout=TURN_TIMEOUT_S)
        report = (await self.show(turn, "by SSE"))[-1]
        self.claim(report, transport="sse", context="full")
        if self.simulated:
            self.check("web_search_call" in history, "the upstream did not search")
            received = (await self.simulator("requests"))[-1]["items"]
            self.check(received == [*history, "message"], f"the upstream received {received}, not {history}")
            self.screen.said("input", ", ".join(received), "cyan")

    async def killed_replica(self) -> None:
        self.title("Replica killed", "between two turns of a stored conversation, which goes on elsewhere")
        async with AsyncExitStack() as resources:
            with self.screen.waiting_for("starting a second replica"):
                replica = await resources.enter_async_context(another_replica(self.stack))
            client = await resources.enter_async_context(AsyncClient(replica.address))
            there = client.conversation(model=self.model, instructions=INSTRUCTIONS, store=True)
            report = await self.turn(there, "Hello! Which fjord is the longest?", "second replica")
            self.claim(report, transport="websocket", context="full")
            await replica.kill()
        self.screen.said("kill", f"the replica at {replica.address}", "red")
        here = self.client.conversation(
            there.session_id,
            model=self.model,
            instructions=INSTRUCTIONS,
            messages=there.messages,
            continuation=there.continuation,
            store=True,
        )
        report = await self.turn(here, "And how deep is it?", "first replica")
        self.claim(report, transport="websocket", context="incremental", why="continued")

    async def refused_websocket(self) -> None:
        self.title("WebSocket refused", "a new session; the upstream answers 426")
        await self.simulate(refuse_websocket=426)
        conversation = self.client.conversation(model=self.model, instructions=INSTRUCTIONS)
        report = await self.turn(conversation, "Hello! Can you hear me?", "refused")
        self.claim(report, transport="sse", context="full")
        self.check(report.transport_reason != "requested", "SSE was not requested")
        await self.simulate(refuse_websocket=None)


async def main(screen: Screen, model: str) -> None:
    screen.line(screen.paint("Trunkline: one conversation, turn by turn", "bold"))
    async with AsyncExitStack() as resources:
        with screen.waiting_for("starting"):
            stack = await resources.enter_async_context(running_stack())
        client = await resources.enter_async_context(AsyncClient(stack.address))
        upstream = "simulated" if stack.simulated else "real"
        screen.line(f"service {stack.address} · {upstream} upstream {stack.upstream}", "dim")
        screen.line("each turn shows: transport (why) · context (why) · sent / saved · first content", "dim")
        demo = Demo(screen, client, stack, model)
        await demo.play()
        demo.summary()


def run(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Hold a conversation and see what each turn did.")
    parser.add_argument("--model", default="gpt-5.6")
    model = parser.parse_args(arguments).model
    return perform(partial(main, model=model))
