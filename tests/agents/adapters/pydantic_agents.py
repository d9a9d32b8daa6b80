"""Run agents of Pydantic AI over Trunkline: `pydantic_agents.py ADDRESS SCENARIO`.

Prints a line of JSON for each run. The simulator's directives say what the model does.
"""

import asyncio
import json
import sys
from typing import Any

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, ModelAPIError, ModelMessagesTypeAdapter, NativeOutput
from pydantic_ai.capabilities import NativeTool
from pydantic_ai.native_tools import MCPServerTool, WebSearchTool

from trunkline import AsyncClient
from trunkline.pydantic_ai import TrunklineModel

AT_WORK = [0, 0]
"""How many calls of the tool run now, and the most that did at once."""


async def tide_at(hour: int) -> str:
    """Return the height of the tide."""
    AT_WORK[0] += 1
    AT_WORK[1] = max(AT_WORK)
    await asyncio.sleep(0.05)
    AT_WORK[0] -= 1
    return f"{hour}.5 m"


EVERYTHING = (
    "sim:file_search",
    "sim:code_interpreter",
    "sim:image_generation",
    "sim:mcp(approval=false)",
    "sim:phases",
    "sim:parts(n=3)",
    "sim:reason(text=deep)",
    "Bye.",
)
"""What the model can say, besides texts and calls of functions."""


class Tide(BaseModel):
    hour: int
    height: float


class Conversation:
    """Runs one after the other, each with the messages of those before."""

    def __init__(self, model: TrunklineModel, **settings: Any) -> None:
        given = {
            "tools": [tide_at],
            "instructions": "Be brief.",
            "capabilities": [NativeTool(WebSearchTool())],
        }
        self.agent = Agent(model, **given | settings)
        self.messages: list[Any] = []

    async def say(self, message: str, *, stop_after: int = 0, **settings: Any) -> None:
        """A streamed run."""
        deltas: list[str] = []
        try:
            async with self.agent.run_stream(message, message_history=self.messages, **settings) as run:
                async for delta in run.stream_text(delta=True, debounce_by=None):
                    deltas.append(delta)
                    if len(deltas) == stop_after:
                        await run.cancel()
                        break
                if stop_after:
                    show(deltas=deltas, cancelled=run.cancelled)
                    return
                self.messages = run.all_messages()
                usage = run.usage
        except ModelAPIError as failed:
            show(deltas=deltas, error=type(failed).__name__, status=getattr(failed, "status_code", None))
            return
        tokens = {"tokens": usage.total_tokens, "cached": usage.cache_read_tokens}
        show(text=await run.get_output(), deltas=deltas, error="", **tokens)

    async def ask(self, message: str, **settings: Any) -> None:
        """A run in one piece."""
        try:
            run = await self.agent.run(message, message_history=self.messages, **settings)
        except ModelAPIError as failed:
            show(error=type(failed).__name__, status=getattr(failed, "status_code", None))
            return
        self.messages = run.all_messages()
        show(text=run.output if isinstance(run.output, str) else repr(run.output), error="")


def show(**values: Any) -> None:
    print(json.dumps(values), flush=True)


async def stream(model: TrunklineModel) -> None:
    conversation = Conversation(model)
    for message in ("Hello.", "sim:unicode", "sim:phases", "sim:slow(n=10, delay_ms=100)", "Bye."):
        await conversation.say(message)


async def whole(model: TrunklineModel) -> None:
    conversation = Conversation(model)
    for message in ("Hello.", "sim:web_search(thoughts=true)", "sim:phases", "sim:tools(n=2)", "Bye."):
        await conversation.ask(message)


async def parallel_tools(model: TrunklineModel) -> None:
    conversation = Conversation(model)
    for message in ("sim:tools(n=3, parallel=2)", "And now?"):
        await conversation.say(message)
    show(at_once=AT_WORK[1])


async def hosted_tool(model: TrunklineModel) -> None:
    conversation = Conversation(model)
    for message in ("sim:web_search(thoughts=true)", "And now?"):
        await conversation.say(message)
    kinds = [part.part_kind for message in conversation.messages for part in message.parts]
    show(kinds=kinds)


async def everything(model: TrunklineModel) -> None:
    server = MCPServerTool(id="harbour", url="https://harbour.example")
    conversation = Conversation(model, capabilities=[NativeTool(server)])
    for message in EVERYTHING:
        await conversation.say(message)
        await conversation.ask(message)


async def another_session(model: TrunklineModel) -> None:
    """There everything is sent, so the upstream sees what Pydantic AI's history has kept."""
    conversation = Conversation(model)
    await conversation.say("sim:web_search(thoughts=true)")
    another = {"extra_body": {"trunkline": {"session_id": "another"}}}
    await conversation.say("And now?", model_settings=another)


async def another_process(model: TrunklineModel) -> None:
    """The messages as JSON, and a model that remembers nothing, go on in the service's session."""
    conversation = Conversation(model)
    await conversation.ask("Hello.")
    saved = ModelMessagesTypeAdapter.dump_json(conversation.messages)
    again = Conversation(TrunklineModel("gpt-5.6", model.trunkline))
    again.messages = ModelMessagesTypeAdapter.validate_json(saved)
    await again.ask("Bye.")


async def structured(model: TrunklineModel) -> None:
    conversation = Conversation(model, output_type=NativeOutput(Tide), tools=[], capabilities=[])
    for message in ("Which tide?", "And the next?"):
        await conversation.ask(message)


async def output_tool(model: TrunklineModel) -> None:
    conversation = Conversation(model, output_type=Tide, tools=[], capabilities=[])
    for message in ("Which tide?", "And the next?"):
        await conversation.ask(message)


async def cancel(model: TrunklineModel) -> None:
    conversation = Conversation(model)
    await conversation.say("Hello.")
    await conversation.say("sim:slow(n=400, delay_ms=25)", stop_after=2)
    for message in ("Still there?", "Bye."):
        await conversation.say(message)


async def cancelled_task(model: TrunklineModel) -> None:
    conversation = Conversation(model)
    await conversation.ask("Hello.")
    try:
        async with asyncio.timeout(1):
            await conversation.ask("sim:slow(n=400, delay_ms=25)")
    except TimeoutError:
        show(error="TimeoutError")
    await conversation.ask("Bye.")


async def error(model: TrunklineModel) -> None:
    """The second run fails at its first request."""
    conversation = Conversation(model)
    for message in ("Hello.", "sim:words(n=3)", "Bye."):
        await conversation.say(message)


async def package(model: TrunklineModel) -> None:
    """The client of the openai package itself, over the same transport."""
    openai: AsyncOpenAI = model.client
    history: list[Any] = []
    for message in ("Hello.", "sim:web_search(thoughts=true)", "Bye."):
        history.append({"role": "user", "content": message})
        response = await openai.responses.create(model="gpt-5.6", input=history)
        history += [item.model_dump(exclude_unset=True) for item in response.output]
        show(text=response.output_text, id=response.id, usage=response.usage is not None)


async def main(address: str, scenario: str) -> None:
    async with AsyncClient(address) as client:
        await globals()[scenario](TrunklineModel("gpt-5.6", client))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
