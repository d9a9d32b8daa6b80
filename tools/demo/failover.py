"""Two upstreams, of which the first dies between two turns: `python -m tools.demo.failover`.

The conversation goes on with the second one: its next turn is sent in full, the one after that is incremental
again. A turn that differs ends the demo with exit code 1.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from tools.demo.processes import Replica, two_upstreams
from tools.demo.screen import Screen
from tools.demo.stage import Stage, perform
from trunkline import AsyncClient

INSTRUCTIONS = "You are a friendly guide. Answer in one or two sentences."


async def play(stage: Stage, client: AsyncClient, upstreams: dict[str, Replica]) -> None:
    """Hold four turns, the last two without the first upstream, and check what both have received."""
    conversation = client.conversation(model="gpt-5.6", instructions=INSTRUCTIONS)
    stage.title("First turn", "the first upstream of the route; everything is sent")
    report = await stage.turn(conversation, "Hello! What can you tell me about Oslo?", "first")
    stage.claim(report, transport="websocket", context="full", upstream="first")
    stage.title("Follow-up", "the connection is warm; only new items are sent")
    report = await stage.turn(conversation, "And what should I pack?", "follow-up")
    stage.claim(report, transport="websocket", context="incremental", upstream="first")

    received = await stage.simulator("requests", at=upstreams["first"].address)
    await upstreams["first"].kill()
    stage.screen.said("kill", f"the first upstream, at {upstreams['first'].address}", "red")

    stage.title("Upstream lost", "the turn goes on to the second one, before content, in full")
    report = await stage.turn(conversation, "Which museum is the best?", "elsewhere")
    stage.claim(report, transport="websocket", context="full", upstream="second")
    stage.title("Follow-up", "the conversation stays where it is: incremental again")
    report = await stage.turn(conversation, "And how do I get there?", "follow-up")
    stage.claim(report, transport="websocket", context="incremental", upstream="second")

    received += await stage.simulator("requests", at=upstreams["second"].address)
    answered = [request["response_id"] for request in received if request["finished"] == "completed"]
    stage.check(len(received) == len(answered) == 4, f"4 turns were {len(received)} requests upstream")
    stage.screen.said("sent", "4 turns were 4 requests, 2 to each; none was sent twice", "cyan")


async def main(screen: Screen) -> None:
    screen.line(screen.paint("Trunkline: one conversation, two upstreams", "bold"))
    async with AsyncExitStack() as resources:
        with screen.waiting_for("starting"):
            address, upstreams = await resources.enter_async_context(two_upstreams())
        client = await resources.enter_async_context(AsyncClient(address))
        for name, upstream in upstreams.items():
            screen.line(f"{name} upstream, simulated, at {upstream.address}", "dim")
        stage = Stage(screen, "", simulated=True)
        await play(stage, client, upstreams)
        stage.summary()


def run(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Lose an upstream in the middle of a conversation.")
    parser.parse_args(arguments)
    return perform(main)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
