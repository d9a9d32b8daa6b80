"""Give ChatTrunkline messages and read its answers, without agents: `langchain_messages.py ADDRESS SCENARIO`.

Prints a line of JSON for each case.
"""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from langchain_core.exceptions import ModelError, ModelRefusalError
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from trunkline import Client, Done, Event, TrunklineError, custom_tool, user
from trunkline.langchain import ChatTrunkline
from trunkline.langchain.answers import Chunks, answer_from
from trunkline.langchain.errors import CLASSES
from trunkline.langchain.messages import read


@tool
def tide_at(hour: int) -> str:
    """Return the height of the tide."""
    return f"{hour}.5 m"


class Tide(BaseModel):
    hour: int
    height: float


class Table(BaseModel):
    first: Tide
    tides: list[Tide]


class Loose(BaseModel):
    heights: dict[str, int]


def show(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def formats(model: ChatTrunkline) -> None:
    """`with_structured_output` in its three ways, with the answer, and where the model refuses."""
    for method in ("json_schema", "function_calling"):
        show(value=repr(model.with_structured_output(Table, method=method).invoke("Which tides?")))
    schema = {"title": "tide", "type": "object", "properties": {"hour": {"type": "integer"}}}
    show(value=model.with_structured_output(schema).invoke("Which tide?"))
    raw = model.with_structured_output(Table, include_raw=True).invoke("Which tides?")
    show(value=repr(raw["parsed"]), raw=raw["raw"].text)
    try:
        model.with_structured_output(Table).invoke("sim:refuse(text=I will not.)")
    except ModelRefusalError as refused:
        show(refused=str(refused))
    try:
        model.with_structured_output(Loose)
    except TypeError as failed:
        show(error=str(failed))


SAID = """
    every_item web_search(thoughts=true) file_search code_interpreter image_generation mcp custom(n=1) shell
    shell(container=true) local_shell apply_patch computer tool_search namespace program compaction
    reason(text=Deep.) refuse phases parts unicode bad_arguments xai deepseek tools late_text odd audio
    incomplete end_alone whole_items copilot vllm llama_cpp stale
"""


def lossless(model: ChatTrunkline) -> None:
    """Show what does not come back as the model said it: whole, loaded from JSON, and streamed."""
    sql = custom_tool(name="sql")(str)
    with Client(model.address) as client:
        for name in SAID.split():
            turn: Any = {"model": model.model, "messages": [user(f"sim:{name}")], "tools": [sql]}
            done = client.complete(session_id="whole", **turn)
            whole = answer_from(done)
            loaded = AIMessage.model_validate_json(whole.model_dump_json())
            streamed, end = joined(client.stream(session_id="streamed", **turn))
            lost = [
                how
                for how, answer, said in (
                    ("whole", whole, done.message),
                    ("loaded", loaded, done.message),
                    ("streamed", streamed, end.message),
                )
                if read([answer]) != ("", [said])
            ]
            show(name=name, lost=lost)


def joined(events: Iterable[Event]) -> tuple[AIMessageChunk, Done]:
    """Join the chunks of a turn, as LangChain does."""
    chunks, whole, done = Chunks({"sql"}), AIMessageChunk(content=[]), None
    for event in events:
        if chunk := chunks.of(event):
            whole += chunk
        done = event
    assert isinstance(done, Done)
    return whole + AIMessageChunk(content=[], chunk_position="last"), done


def given(model: ChatTrunkline) -> None:
    """What a caller may give: images, files, results that failed, rules, and what has no place in a turn."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    content: list[Any] = [
        "Look.",
        {"type": "image", "base64": pixel, "mime_type": "image/png"},
        {"type": "image_url", "image_url": {"url": "https://tides.example/a.png"}},
        {"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf", "filename": "a.pdf"},
        {"type": "text-plain", "text": "High.", "mime_type": "text/plain"},
    ]
    call = {"name": "tide_at", "args": {"hour": 6}, "id": "c1"}
    instructions, messages = read(
        [
            SystemMessage("Be brief."),
            HumanMessage(content),
            AIMessage("Let me look.", tool_calls=[call]),
            ToolMessage("dry", tool_call_id="c1", status="error"),
            SystemMessage("Be kind."),
        ]
    )
    show(
        instructions=instructions,
        kinds=[[part.WhichOneof("part") for part in message.parts] for message in messages],
        arguments=messages[1].parts[1].tool_call.arguments,
        failed=messages[2].parts[0].tool_result.is_error,
    )
    edited = answer_from_call(model)
    edited.tool_calls[0]["args"]["hour"] = 7
    show(edited=read([edited])[1][0].parts[0].tool_call.arguments)
    sound = {"type": "audio", "base64": "UklGRg==", "mime_type": "audio/wav"}
    for bad in (
        {"input": [HumanMessage([sound])]},
        {"input": "Hi.", "stop": ["."]},
        {"input": "Hi.", "response_format": {}},
        {"input": "Hi.", "temprature": 1},
    ):
        try:
            model.invoke(**bad)
        except (TypeError, ValueError) as failed:
            show(error=str(failed))


def answer_from_call(model: ChatTrunkline) -> AIMessage:
    answer = model.bind_tools([tide_at], tool_choice="tide_at").invoke("At six?")
    assert isinstance(answer, AIMessage)
    return answer


def classes(_: ChatTrunkline) -> None:
    """Every error of the client is one of LangChain's, too."""
    kinds: set[type[TrunklineError]] = {TrunklineError, *below(TrunklineError)}
    show(missing=sorted(kind.__name__ for kind in kinds - CLASSES.keys()))


def below(kind: type[TrunklineError]) -> Iterator[type[TrunklineError]]:
    for one in kind.__subclasses__():
        if one.__module__ == kind.__module__:
            yield from (one, *below(one))


def cut(model: ChatTrunkline) -> None:
    """An answer that ends within a call: LangChain would complete its arguments, and an agent run it."""
    bound = model.bind_tools([tide_at])
    show(calls=len(bound.invoke("sim:truncated_call").tool_calls))
    try:
        list(bound.stream("sim:truncated_call"))
    except ModelError as failed:
        show(error=str(failed), again=failed.is_retryable)


def loops(model: ChatTrunkline) -> None:
    """One model in several event loops, one after the other, and in none."""
    for _ in range(3):
        show(text=asyncio.run(model.ainvoke("Hello.")).text[:10])
    show(text=model.invoke("Hello.").text[:10], clients=len(model._async_clients))


if __name__ == "__main__":
    globals()[sys.argv[2]](ChatTrunkline(model="gpt-5.6", address=sys.argv[1]))
