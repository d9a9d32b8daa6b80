"""The official client takes every item and event of the simulator's tools, over each of its routes."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, get_args, get_origin

import openai
import pytest
from openai.types.responses import (
    ResponseInputItem,
    ResponseOutputItem,
    ResponsesServerEvent,
    ResponseStreamEvent,
)
from pydantic import BaseModel, TypeAdapter

from simulator import Simulator
from tests.integration.test_simulator_openai_client import UNDECLARED_FIELDS, unknown_fields

MODEL = "gpt-6-astra"
ENDINGS = {"response.completed", "response.incomplete", "response.failed"}
INCLUDE: Any = [
    "web_search_call.action.sources",
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
]
EVENT: dict[str, TypeAdapter[Any]] = {
    "sse": TypeAdapter(ResponseStreamEvent),
    "websocket": TypeAdapter(ResponsesServerEvent),
}
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseOutputItem)
INPUT_ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItem)
SCENES = {
    "sim:web_search(citations=2)": ["web_search_call", "web_search_call", "web_search_call", "message"],
    "sim:file_search": ["file_search_call", "message"],
    "sim:code_interpreter": ["code_interpreter_call", "message"],
    "sim:image_generation(partial=2)": ["image_generation_call", "message"],
    "sim:mcp": ["mcp_list_tools", "mcp_approval_request"],
    "sim:mcp(approval=false)": ["mcp_list_tools", "mcp_call", "message"],
    "sim:mcp(approval=false, fails=true)": ["mcp_list_tools", "mcp_call", "message"],
    "sim:mcp(unlisted=true)": ["mcp_list_tools", "message"],
    "sim:custom": ["custom_tool_call"],
    "sim:shell": ["shell_call"],
    "sim:shell(container=true)": ["shell_call", "shell_call_output", "message"],
    "sim:local_shell": ["local_shell_call"],
    "sim:apply_patch": ["apply_patch_call"],
    "sim:computer(warning=Look first.)": ["computer_call"],
    "sim:tool_search": ["tool_search_call", "tool_search_output", "function_call"],
    "sim:tool_search(by_client=true)": ["tool_search_call"],
    "sim:namespace": ["function_call"],
    "sim:program": ["program", "program_output", "message"],
    "sim:compaction": ["compaction", "message"],
    "sim:audio": ["message"],
    "sim:queued": ["message"],
}  # fmt: skip
"""Each scene, and the items of its answer."""


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(seed="") as simulator:
        yield simulator


@pytest.fixture
async def client(sim) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=sim.url, max_retries=0) as client:
        yield client


async def raw_events(client, route: str, **parameters) -> list[dict[str, Any]]:
    if route == "sse":
        async with client.responses.with_streaming_response.create(
            model=MODEL, stream=True, include=INCLUDE, **parameters
        ) as response:
            lines = (await response.read()).decode().split("\n")
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    events: list[dict[str, Any]] = []
    async with client.responses.connect() as connection:
        await connection.response.create(model=MODEL, include=INCLUDE, **parameters)
        while not events or events[-1]["type"] not in ENDINGS:
            events.append(json.loads(await connection.recv_bytes()))
    return events


async def scene(client, route: str, text: str, **parameters) -> list[Any]:
    """Play a scene, and return its events as the client's types, which must declare all of them."""
    events = []
    for raw in await raw_events(client, route, input=text, **parameters):
        event = EVENT[route].validate_python(raw, strict=True)
        assert unknown_fields(event) <= UNDECLARED_FIELDS
        events.append(event)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    return events


@pytest.mark.parametrize("route", ["sse", "websocket"])
@pytest.mark.parametrize("text", SCENES)
async def test_a_scene(client, route, text):
    events = await scene(client, route, text)
    final = events[-1].response
    assert [item.type for item in final.output] == SCENES[text]
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert done == final.output


@pytest.mark.parametrize("text", [text for text in SCENES if text != "sim:audio"])
async def test_the_clients_own_helpers_take_a_scene(client, text):
    """Without audio, which the client declares and its helper refuses."""
    whole = await client.responses.create(model=MODEL, input=text)
    assert [item.type for item in whole.output] == SCENES[text]
    async with client.responses.stream(model=MODEL, input=text) as stream:
        final = await stream.get_final_response()
    assert [item.type for item in final.output] == SCENES[text]


OUTPUT: dict[str, dict[str, Any]] = {
    "custom_tool_call": {"type": "custom_tool_call_output", "output": "1"},
    "shell_call": {
        "type": "shell_call_output",
        "output": [{"outcome": {"type": "exit", "exit_code": 0}, "stdout": "1", "stderr": ""}],
    },
    "local_shell_call": {"type": "local_shell_call_output", "output": "1"},
    "apply_patch_call": {"type": "apply_patch_call_output", "status": "completed"},
    "computer_call": {
        "type": "computer_call_output",
        "output": {"type": "computer_screenshot", "image_url": "data:image/png;base64,aGk="},
    },
    "mcp_approval_request": {"type": "mcp_approval_response", "approve": True},
    "tool_search_call": {"type": "tool_search_output", "execution": "client", "tools": []},
    "function_call": {"type": "function_call_output", "output": "1"},
}
LOOPS = {text: kinds[-1] for text, kinds in SCENES.items() if kinds[-1] in OUTPUT}


def answer_to(item: Any) -> dict[str, Any]:
    """Return what a caller sends when it has done what the item asks for."""
    if item.type == "mcp_approval_request":
        return {**OUTPUT[item.type], "approval_request_id": item.id}
    name = "id" if item.type == "local_shell_call" else "call_id"
    return {**OUTPUT[item.type], name: item.call_id}


@pytest.mark.parametrize("chained", [True, False])
@pytest.mark.parametrize("text", LOOPS)
async def test_a_tool_of_the_caller_is_a_loop(client, text, chained):
    """With the id and the output only, and with everything again where nothing is stored."""
    asked = await client.responses.create(model=MODEL, input=text, store=chained)
    answer = answer_to(asked.output[-1])
    if chained:
        more: Any = {"previous_response_id": asked.id, "input": [answer]}
    else:
        echoed = [item.model_dump(exclude_unset=True) for item in asked.output]
        more = {"store": False, "input": [{"role": "user", "content": text}, *echoed, answer]}
    ended = await client.responses.create(model=MODEL, **more)
    assert ended.output[-1].type in {"message", "function_call"}
    with pytest.raises(openai.BadRequestError, match=r"No tool output|do not have an approval"):
        await client.responses.create(model=MODEL, **{**more, "input": more["input"][:-1] or "Well?"})


@pytest.mark.parametrize("text", LOOPS)
async def test_a_loop_over_one_websocket(client, text):
    async with client.responses.connect() as connection:
        asked = await turn(connection, input=text)
        answer: Any = [answer_to(asked.output[-1])]
        ended = await turn(connection, input=answer, previous_response_id=asked.id)
    assert ended.output[-1].type in {"message", "function_call"}


async def turn(connection, **parameters) -> Any:
    """Return the response of one turn over a WebSocket."""
    await connection.response.create(model=MODEL, store=False, **parameters)
    while True:
        event = EVENT["websocket"].validate_json(await connection.recv_bytes(), strict=True)
        assert event.type != "error"
        if event.type in ENDINGS:
            return event.response


def declared(union: Any) -> tuple[type[BaseModel], ...]:
    return get_args(get_args(union)[0] if get_origin(union) is Annotated else union)


async def test_every_declared_output_item_is_sent_and_can_be_sent_back(client):
    events = await scene(client, "sse", "sim:every_item", store=False)
    items = events[-1].response.output
    assert {type(item) for item in items} == set(declared(ResponseOutputItem))
    echoed = [item.model_dump(exclude_unset=True) for item in items]
    for item in echoed:
        INPUT_ITEM.validate_python(item)
    said: Any = [
        {"role": "user", "content": "sim:every_item"},
        *echoed,
        {"role": "user", "content": "Hello."},
    ]
    answer = await client.responses.create(model=MODEL, store=False, input=said)
    assert answer.status == "completed"


async def test_every_declared_event_is_sent(client):
    texts = [
        *SCENES,
        "sim:every_item",
        "sim:reason(text=Hm.)",
        "sim:refuse",
        "sim:tools",
        "sim:fail(at=content)",
    ]
    sent = set()
    for text in texts:
        tool: Any = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
        sent |= {type(event) for event in await scene(client, "sse", text, tools=[tool])}
    sent |= {type(event) for event in await scene(client, "sse", "sim:incomplete")}
    sent |= {type(event) for event in await scene(client, "sse", "sim:fail(at=content, shape=flat)")}
    assert {event.__name__ for event in set(declared(ResponseStreamEvent)) - sent} == set()
