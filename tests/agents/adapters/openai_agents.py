"""Run agents of the OpenAI Agents SDK over Trunkline: `openai_agents.py ADDRESS SCENARIO`.

Prints a line of JSON for each run. The simulator's directives say what the model does.
"""

import asyncio
import json
import sys
from typing import Any

from agents import (
    Agent,
    CustomTool,
    HostedMCPTool,
    ModelRetrySettings,
    ModelSettings,
    RunConfig,
    Runner,
    ShellTool,
    SQLiteSession,
    TracingProcessor,
    UserError,
    WebSearchTool,
    function_tool,
    retry_policies,
    set_trace_processors,
)
from pydantic import BaseModel

from trunkline import TrunklineError
from trunkline.openai_agents import TrunklineProvider

AT_WORK = [0, 0]
"""How many calls of the tool run now, and the most that did at once."""


@function_tool
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
    "sim:shell(container=true)",
    "sim:phases",
    "sim:parts(n=3)",
    "sim:reason(text=deep)",
    "Bye.",
)
"""What the model can say, besides texts and calls of functions."""
MCP = {
    "type": "mcp",
    "server_label": "harbour",
    "server_url": "https://harbour.example",
    "require_approval": "never",
}


class Tide(BaseModel):
    hour: int
    height: float


class Conversation:
    """Runs one after the other, whose history is the SDK's own session."""

    def __init__(self, provider: TrunklineProvider, agent: Agent, **settings: Any) -> None:
        self.agent = agent
        self.config = RunConfig(model_provider=provider, tracing_disabled=True, **settings)
        self.session = SQLiteSession("harbour")

    async def say(self, message: str, *, stop_after: int = 0) -> None:
        deltas: list[str] = []
        run = Runner.run_streamed(self.agent, message, run_config=self.config, session=self.session)
        error = ""
        try:
            async for event in run.stream_events():
                if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                    deltas.append(event.data.delta)
                    if len(deltas) == stop_after:
                        run.cancel()
        except TrunklineError as failed:
            error = failed.reason
        usage = run.context_wrapper.usage
        show(
            text=run.final_output if isinstance(run.final_output, str) else repr(run.final_output),
            deltas=deltas,
            error=error,
            results=[item.output for item in run.new_items if item.type == "tool_call_output_item"],
            tokens=usage.total_tokens,
            cached=usage.input_tokens_details.cached_tokens,
            agent=run.last_agent.name,
        )


def show(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def harbour(**settings: Any) -> Agent:
    search = {"tools": [tide_at, WebSearchTool()], "instructions": "Be brief.", "model": "gpt-5.6"}
    return Agent("Harbour", **search | settings)


async def stream(provider: TrunklineProvider) -> None:
    conversation = Conversation(provider, harbour())
    for message in ("Hello.", "sim:unicode", "sim:slow(n=10, delay_ms=100)", "Bye."):
        await conversation.say(message)


async def parallel_tools(provider: TrunklineProvider) -> None:
    conversation = Conversation(provider, harbour())
    for message in ("sim:tools(n=3, parallel=2)", "And now?"):
        await conversation.say(message)
    show(at_once=AT_WORK[1])


async def hosted_tool(provider: TrunklineProvider) -> None:
    conversation = Conversation(provider, harbour())
    for message in ("sim:web_search(thoughts=true)", "And now?"):
        await conversation.say(message)


async def another_process(provider: TrunklineProvider) -> None:
    """The items as JSON, and a provider that remembers nothing, go on in the service's session."""
    set_trace_processors([])
    items: list[Any] = []
    for message in ("Hello.", "sim:reason(text=deep)", "Bye."):
        config = RunConfig(model_provider=TrunklineProvider(provider.client), group_id="ada")
        run = await Runner.run(harbour(), [*items, {"role": "user", "content": message}], run_config=config)
        items = json.loads(json.dumps(run.to_input_list()))
        show(text=run.final_output)


async def everything(provider: TrunklineProvider) -> None:
    container = ShellTool(environment={"type": "container_auto"})
    conversation = Conversation(provider, harbour(tools=[HostedMCPTool(tool_config=MCP), container]))
    for message in EVERYTHING:
        await conversation.say(message)


async def another_session(provider: TrunklineProvider) -> None:
    """There everything is sent, so the upstream sees what the SDK's history has kept."""
    conversation = Conversation(provider, harbour())
    await conversation.say("sim:web_search(thoughts=true)")
    conversation.agent = harbour(model_settings=ModelSettings(extra_args={"session_id": "another"}))
    await conversation.say("And now?")


async def structured(provider: TrunklineProvider) -> None:
    conversation = Conversation(provider, harbour(output_type=Tide, tools=[]))
    for message in ("Which tide?", "And the next?"):
        await conversation.say(message)


async def cancel(provider: TrunklineProvider) -> None:
    conversation = Conversation(provider, harbour())
    await conversation.say("Hello.")
    await conversation.say("sim:slow(n=400, delay_ms=25)", stop_after=2)
    for message in ("Still there?", "Bye."):
        await conversation.say(message)


async def error(provider: TrunklineProvider) -> None:
    """With the SDK's retries: the second run fails at its first request."""
    retry = ModelRetrySettings(max_retries=2, policy=retry_policies.provider_suggested())
    conversation = Conversation(provider, harbour(model_settings=ModelSettings(retry=retry)))
    for message in ("Hello.", "sim:words(n=3)", "Bye."):
        await conversation.say(message)


async def unary(provider: TrunklineProvider) -> None:
    """Without a stream: calls of a custom tool, and one agent that hands over to another."""
    sql = CustomTool("sql", "Run a query.", on_invoke_tool=lambda _context, _query: "2.4")
    pilot = Agent("Pilot", model="gpt-5.6", instructions="You know the tides.", tools=[sql, tide_at])
    desk = Agent("Desk", model="gpt-5.6", handoffs=[pilot], tools=[sql])
    config = RunConfig(model_provider=provider, tracing_disabled=True)
    session = SQLiteSession("desk")
    for message in ("sim:custom(n=2)", "sim:tools(n=1)", "Bye."):
        run = await Runner.run(desk, message, run_config=config, session=session)
        show(text=run.final_output, agent=run.last_agent.name, id=run.last_response_id)
    try:
        await Runner.run(desk, "Hello.", run_config=config, previous_response_id="resp_1")
    except UserError as refused:
        show(error=str(refused))


class Spans(TracingProcessor):
    """Shows the spans of the model's calls."""

    def on_span_end(self, span: Any) -> None:
        if span.span_data.type == "generation":
            data = span.span_data.export()
            show(model=data["model"], usage=data["usage"], output=data["output"], error=span.error)

    def on_span_start(self, span: Any) -> None: ...
    def on_trace_start(self, trace: Any) -> None: ...
    def on_trace_end(self, trace: Any) -> None: ...
    def shutdown(self) -> None: ...
    def force_flush(self) -> None: ...


async def tracing(provider: TrunklineProvider) -> None:
    set_trace_processors([Spans()])
    agent = harbour()
    await Runner.run(agent, "sim:say(text=Six.)", run_config=RunConfig(model_provider=provider))
    secret = RunConfig(model_provider=provider, trace_include_sensitive_data=False)
    await Runner.run(agent, "sim:say(text=Six.)", run_config=secret)
    try:
        await Runner.run(agent, "sim:fail(status=400, code=dry, message=Out of tides.)", run_config=secret)
    except TrunklineError as failed:
        show(raised=str(failed))


async def main(address: str, scenario: str) -> None:
    provider = TrunklineProvider(address)
    await globals()[scenario](provider)
    await provider.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
