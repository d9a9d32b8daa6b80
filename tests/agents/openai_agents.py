"""Hold a conversation with the OpenAI Agents SDK: `openai_agents.py URL TRANSPORT HISTORY MESSAGE …`.

TRANSPORT: `http` or `websocket`. HISTORY: `items` sends all items again with each message, and nothing is
stored; `chain` sends the new ones with the id of the response before. Prints a line of JSON for each
message: the final text, the deltas of all texts, and the results of the tool.

It runs in an environment of its own, because the SDK does not allow the service's version of websockets.
"""

import asyncio
import json
import sys
from typing import Any

from agents import (
    Agent,
    CustomTool,
    HostedMCPTool,
    LocalShellTool,
    ModelSettings,
    OpenAIProvider,
    RunConfig,
    Runner,
    ShellTool,
    WebSearchTool,
    function_tool,
)

MCP = {
    "type": "mcp",
    "server_label": "harbour",
    "server_url": "https://harbour.example",
    "require_approval": "never",
}


def tide_at(hour: int) -> str:
    """Return the height of the tide."""
    return f"{hour}.5 m"


def harbour(*, stored: bool) -> Agent:
    settings = ModelSettings(
        parallel_tool_calls=True, store=stored, response_include=["reasoning.encrypted_content"]
    )
    tools = [
        function_tool(tide_at),
        CustomTool("sql", "Run a query.", on_invoke_tool=lambda _context, _query: "2.4"),
        ShellTool(lambda _request: "high.txt"),
        LocalShellTool(lambda _request: "high.txt"),
        WebSearchTool(),
        HostedMCPTool(tool_config=MCP),
    ]
    return Agent("Harbour", instructions="Be brief.", model="gpt-5.6", model_settings=settings, tools=tools)


async def converse(url: str, transport: str, history: str, *messages: str) -> None:
    chained = history == "chain"
    provider = OpenAIProvider(api_key="k", base_url=url, use_responses_websocket=transport == "websocket")
    config = RunConfig(model_provider=provider, tracing_disabled=True)
    items: list[Any] = []
    latest = None
    for message in messages:
        run = Runner.run_streamed(
            harbour(stored=chained),
            [*items, {"role": "user", "content": message}],
            run_config=config,
            previous_response_id=latest,
            auto_previous_response_id=chained,
        )
        deltas, results = [], []
        async for event in run.stream_events():
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
                deltas.append(event.data.delta)
            elif event.type == "run_item_stream_event" and event.name == "tool_output":
                results.append(event.item.output)
        if chained:
            latest = run.last_response_id
        else:
            items = run.to_input_list()
        print(json.dumps({"text": run.final_output, "deltas": deltas, "results": results}))
    await provider.aclose()


if __name__ == "__main__":
    asyncio.run(converse(*sys.argv[1:]))
