"""Run the agents of LangChain, which are LangGraph's, over Trunkline: `langchain_agents.py ADDRESS SCENARIO`.

Prints a line of JSON for each run. The simulator's directives say what the model does.
"""

import asyncio
import json
import sys
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelRetryMiddleware
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import BaseModel

from trunkline.langchain import ChatTrunkline

AT_WORK = [0, 0]
"""How many calls of the tool run now, and the most that did at once."""


@tool
async def tide_at(hour: int) -> str:
    """Return the height of the tide."""
    AT_WORK[0] += 1
    AT_WORK[1] = max(AT_WORK)
    await asyncio.sleep(0.05)
    AT_WORK[0] -= 1
    return f"{hour}.5 m"


@tool
def height_at(hour: int) -> str:
    """Return the height of the tide."""
    return f"{hour} m"


class Tide(BaseModel):
    hour: int
    height: float


class Table(BaseModel):
    first: Tide
    tides: list[Tide]


class Conversation:
    """Runs one after the other in a thread of the graph, whose checkpoints are the history."""

    def __init__(self, model: ChatTrunkline, saver: InMemorySaver | None = None, **more: Any) -> None:
        self.thread = {"configurable": {"thread_id": "harbour"}}
        offered = {"tools": [tide_at, {"type": "web_search"}], "system_prompt": "Be brief."}
        self.agent = create_agent(model, checkpointer=saver or InMemorySaver(), **offered | more)

    async def say(self, message: str, *, stop_after: int = 0) -> None:
        deltas: list[str] = []
        before = len((await self.agent.aget_state(self.thread)).values.get("messages", ()))
        run = asyncio.ensure_future(self._run(message, deltas, stop_after))
        error = ""
        try:
            await run
        except asyncio.CancelledError:
            error = "cancelled"
        except ModelError as failed:
            error = failed.reason
        state = (await self.agent.aget_state(self.thread)).values
        new = state["messages"][before:]
        show(
            text=new[-1].text if isinstance(new[-1], AIMessage) else None,
            value=repr(state.get("structured_response")),
            deltas=deltas,
            error=error,
            results=[one.content for one in new if isinstance(one, ToolMessage)],
            blocks=[block["type"] for block in new[-1].content_blocks],
            usage=getattr(new[-1], "usage_metadata", None),
        )

    async def _run(self, message: str, deltas: list[str], stop_after: int) -> None:
        given = {"messages": [HumanMessage(message)]}
        async for chunk, _ in self.agent.astream(given, self.thread, stream_mode="messages"):
            if isinstance(chunk, AIMessageChunk) and chunk.text:
                deltas.append(chunk.text)
                if len(deltas) == stop_after:
                    task = asyncio.current_task()
                    assert task is not None
                    task.cancel()


def show(**values: Any) -> None:
    print(json.dumps(values), flush=True)


async def stream(model: ChatTrunkline) -> None:
    conversation = Conversation(model)
    for message in ("Hello.", "sim:unicode", "sim:slow(n=10, delay_ms=100)", "Bye."):
        await conversation.say(message)


async def parallel_tools(model: ChatTrunkline) -> None:
    conversation = Conversation(model)
    for message in ("sim:tools(n=3, parallel=2)", "And now?"):
        await conversation.say(message)
    show(at_once=AT_WORK[1])


async def hosted_tool(model: ChatTrunkline) -> None:
    conversation = Conversation(model)
    for message in ("sim:web_search(thoughts=true)", "And now?"):
        await conversation.say(message)


async def another_session(model: ChatTrunkline) -> None:
    """There everything is sent, so the upstream sees what the checkpoints have kept."""
    saver = InMemorySaver()
    await Conversation(model, saver).say("sim:web_search(thoughts=true)")
    another = model.model_copy(update={"session_id": "another"})
    await Conversation(another, saver).say("And now?")


EVERYTHING = (
    "sim:file_search",
    "sim:code_interpreter",
    "sim:image_generation",
    "sim:mcp(approval=false)",
    "sim:phases",
    "sim:parts(n=3)",
    "sim:reason(text=deep)",
    "sim:refuse",
    "Bye.",
)
"""What the model can say, besides texts and calls of functions."""


async def everything(model: ChatTrunkline) -> None:
    conversation = Conversation(model)
    for message in EVERYTHING:
        await conversation.say(message)


async def another_process(model: ChatTrunkline) -> None:
    """Another one knows no session, but the thread has its name."""
    saver = InMemorySaver()
    await Conversation(model, saver).say("Hello.")
    await Conversation(ChatTrunkline(model=model.model, address=model.address), saver).say("And now?")


async def structured(model: ChatTrunkline) -> None:
    conversation = Conversation(model, response_format=Table, tools=[])
    for message in ("Which tides?", "And the next?"):
        await conversation.say(message)


async def cancel(model: ChatTrunkline) -> None:
    conversation = Conversation(model)
    await conversation.say("Hello.")
    await conversation.say("sim:slow(n=400, delay_ms=25)", stop_after=2)
    for message in ("Still there?", "Bye."):
        await conversation.say(message)


async def error(model: ChatTrunkline) -> None:
    """With LangChain's own retries: the second run fails at its first request."""
    retry = ModelRetryMiddleware(max_retries=2, initial_delay=0.01, on_failure="error")
    conversation = Conversation(model, middleware=[retry])
    for message in ("Hello.", "sim:words(n=3)", "Bye."):
        await conversation.say(message)


def blocking(model: ChatTrunkline) -> None:
    """Without a loop: graphs, runnables and streams that block."""
    agent = create_agent(model, tools=[height_at])
    messages = agent.invoke({"messages": [HumanMessage("sim:tools(n=2)")]})["messages"]
    show(text=messages[-1].text)
    whole: Any = None
    for chunk in model.stream([*messages, HumanMessage("sim:reason(summary=Hm.)")]):
        whole = chunk if whole is None else whole + chunk
    show(blocks=[block["type"] for block in whole.content_blocks], last=whole.chunk_position)
    messages += [HumanMessage("sim:reason(summary=Hm.)"), whole, HumanMessage("Bye.")]
    show(report=model.invoke(messages).response_metadata["report"])


def main(address: str, scenario: str) -> None:
    model = ChatTrunkline(model="gpt-5.6", address=address)
    function = globals()[scenario]
    if not asyncio.iscoroutinefunction(function):
        function(model)
        model.close()
        return

    async def run() -> None:
        await function(model)
        await model.aclose()

    asyncio.run(run())


if __name__ == "__main__":
    main(*sys.argv[1:])
