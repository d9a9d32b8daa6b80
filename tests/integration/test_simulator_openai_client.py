"""The official client accepts every event of the simulator, over each of its three routes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from openai.types.responses import ResponsesServerEvent, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from simulator import Simulator, scripts

MODEL = "gpt-6-astra"
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}
STREAM_EVENT: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
SERVER_EVENT: TypeAdapter[ResponsesServerEvent] = TypeAdapter(ResponsesServerEvent)
UNDECLARED_FIELDS = {"store", "name", "status"}
"""Fields that the service sends and the client's types do not declare: `status` of a custom tool's call."""


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(seed="") as simulator:
        yield simulator


@pytest.fixture
async def client(sim) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=sim.url, max_retries=0) as client:
        yield client


def unknown_fields(value: object) -> set[str]:
    """Return the names of undeclared fields, at any depth."""
    if isinstance(value, list):
        return set().union(*map(unknown_fields, value))
    if not isinstance(value, BaseModel):
        return set()
    fields = [getattr(value, name) for name in type(value).model_fields]
    return set(value.model_extra or ()).union(*map(unknown_fields, fields))


def validated(adapter: TypeAdapter[Any], raw: dict[str, Any]) -> Any:
    event = adapter.validate_python(raw, strict=True)
    assert unknown_fields(event) <= UNDECLARED_FIELDS
    return event


class Conversation:
    """A WebSocket of the official client, used as a program would use it."""

    def __init__(self, connection):
        self.connection = connection

    async def turn(self, **parameters) -> tuple[list[Any], Any]:
        await self.connection.response.create(model=MODEL, store=False, **parameters)
        events = []
        while True:
            event = validated(SERVER_EVENT, json.loads(await self.connection.recv_bytes()))
            events.append(event)
            if event.type in {"response.completed", "response.incomplete", "response.failed"}:
                return events, event.response

    async def error(self, **parameters):
        await self.connection.response.create(model=MODEL, store=False, **parameters)
        event = validated(SERVER_EVENT, json.loads(await self.connection.recv_bytes()))
        assert event.type == "error"
        return event


@asynccontextmanager
async def connected(client) -> AsyncIterator[Conversation]:
    async with client.responses.connect() as connection:
        yield Conversation(connection)


async def over_sse(client, **parameters) -> list[Any]:
    create = client.responses.with_streaming_response.create
    async with create(model=MODEL, stream=True, **parameters) as response:
        # Not `iter_lines`: it takes U+2028 for the end of a line, and one script sends it.
        lines = (await response.read()).decode().split("\n")
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == [event["type"] for event in data]
    return [validated(STREAM_EVENT, event) for event in data]


async def over_websocket(client, **parameters) -> list[Any]:
    async with connected(client) as socket:
        return (await socket.turn(**parameters))[0]


DIRECTIVES = [
    "Hello.",
    "sim:say(text=Hello)",
    "sim:echo",
    "sim:parts(n=3)",
    "sim:reason(text=All of my thoughts.)",
    "sim:refuse",
    "sim:phases",
    "sim:unicode",
    "sim:tools(n=2, parallel=2)",
    "sim:bad_arguments",
    "sim:truncated_call",
    "sim:incomplete(reason=content_filter)",
    "sim:fail(at=content)",
]


@pytest.mark.parametrize("text", DIRECTIVES)
@pytest.mark.parametrize("route", [over_sse, over_websocket])
async def test_every_event_is_one_that_the_client_declares(client, route, text):
    included = ["reasoning.encrypted_content"]
    events = await route(client, input=text, tools=[TOOL], include=included, instructions="Be brief.")
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]


@pytest.mark.parametrize("text", DIRECTIVES)
async def test_both_transports_send_the_same_events(text):
    played = []
    for route in (over_sse, over_websocket):
        async with (
            Simulator(seed="same", clock=lambda: 1.0) as sim,
            openai.AsyncOpenAI(api_key="k", base_url=sim.url) as client,
        ):
            events = await route(client, input=text, tools=[TOOL])
            played.append([event.type for event in events if not event.type.endswith(".delta")])
    assert played[0] == played[1]


async def test_http_without_streaming(client, sim):
    answer = await client.responses.create(model=MODEL, input="Hello.", temperature=0.0, metadata={"k": "v"})
    assert answer.output_text == (
        'I received 1 new item (user message) over http, and knew nothing before. You said: "Hello.".'
    )
    assert (answer.status, answer.model) == ("completed", MODEL)
    assert (answer.temperature, answer.metadata) == (0.0, {"k": "v"})
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer._request_id is not None
    assert sim.requests[0].finished == "completed"


async def test_http_streaming_helper_collects_the_final_response(client):
    async with client.responses.stream(model=MODEL, input="sim:words(n=50)") as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert len(deltas) == 50
    assert "".join(deltas) == final.output_text


async def test_structured_output_parses(client):
    class Answer(BaseModel):
        city: str
        degrees: float

    answer = await client.responses.parse(model=MODEL, input="Where?", text_format=Answer)
    assert isinstance(answer.output_parsed, Answer)


async def test_http_continues_a_stored_response(client, sim):
    first = await client.responses.create(model=MODEL, input="One.")
    second = await client.responses.create(model=MODEL, input="Two.", previous_response_id=first.id)
    assert "already knew 2 items" in second.output_text
    assert sim.requests[-1].repeated_items == 0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
async def test_http_failures_are_the_exceptions_of_the_client(client, status, expected):
    with pytest.raises(expected) as caught:
        await client.responses.create(model=MODEL, input=f"sim:fail(status={status}, code=nope, message=No.)")
    assert (caught.value.code, caught.value.body["message"]) == ("nope", "No.")
    assert caught.value.request_id


async def test_a_wrong_key_is_an_authentication_error(client, sim):
    sim.settings.keys = ("another",)
    with pytest.raises(openai.AuthenticationError):
        await client.responses.create(model=MODEL, input="Hello.")


async def test_the_client_retries_when_asked_to(client, sim):
    sim.enqueue(scripts.Script(scripts.Fail("Busy.", "slow_down", 503, headers={"retry-after-ms": "1"})))
    answer = await client.with_options(max_retries=1).responses.create(model=MODEL, input="Hello.")
    assert answer.status == "completed"
    assert [request.finished for request in sim.requests] == ["failed", "completed"]


async def test_a_conversation_on_one_socket(client, sim):
    async with connected(client) as socket:
        _, first = await socket.turn(input="My code word is heron.")
        _, second = await socket.turn(input="And now?", previous_response_id=first.id)
        _, third = await socket.turn(input="And then?", previous_response_id=second.id)
    assert third.output_text == (
        f"I received 1 new item (user message) over websocket, continuing {second.id} "
        'and already knew 4 items. You said: "And then?".'
    )
    assert third.previous_response_id == second.id
    assert (
        third.usage.input_tokens_details.cached_tokens > second.usage.input_tokens_details.cached_tokens > 0
    )
    assert [request.known_items for request in sim.requests] == [0, 2, 4]
    assert sim.stats.connections_total == 1


async def test_only_the_latest_response_can_be_continued(client):
    async with connected(client) as socket:
        _, first = await socket.turn(input="One.")
        await socket.turn(input="Two.", previous_response_id=first.id)
        error = await socket.error(input="Three.", previous_response_id=first.id)
    assert (error.status, error.error.code) == (400, "previous_response_not_found")
    assert error.error.param == "previous_response_id"


async def test_a_new_socket_does_not_know_the_old_ones_response(client):
    async with connected(client) as socket:
        _, first = await socket.turn(input="One.")
    async with connected(client) as socket:
        error = await socket.error(input="Two.", previous_response_id=first.id)
        assert error.error.code == "previous_response_not_found"
        _, whole = await socket.turn(input="One. Two.")
    assert whole.status == "completed"


async def test_generate_false_gives_an_id_to_continue(client, sim):
    async with connected(client) as socket:
        events, warm = await socket.turn(input=[], generate=False, tools=[TOOL], instructions="Be brief.")
        _, answer = await socket.turn(
            input="Hello.", previous_response_id=warm.id, tools=[TOOL], instructions="Be brief."
        )
    assert events[-1].type == "response.completed"
    assert len(events) == 3
    assert warm.output == []
    assert answer.previous_response_id == warm.id
    assert [request.generate for request in sim.requests] == [False, True]


async def test_a_tool_loop(client, sim):
    async with connected(client) as socket:
        _, answer = await socket.turn(input="sim:tools(n=3)", tools=[TOOL])
        for number in range(1, 4):
            (call,) = answer.output
            assert json.loads(call.arguments) == {"city": f"city {number}", "days": number}
            result = {"type": "function_call_output", "call_id": call.call_id, "output": f"{number} degrees"}
            _, answer = await socket.turn(input=[result], previous_response_id=answer.id, tools=[TOOL])
    assert answer.output_text == (
        "I called get_weather 3 times. Results: 1: 1 degrees 2: 2 degrees 3: 3 degrees"
    )
    assert [request.repeated_items for request in sim.requests] == [0, 0, 0, 0]


async def test_arguments_are_the_sum_of_their_deltas(client):
    events = await over_websocket(client, input="sim:tools(n=1)", tools=[TOOL])
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert "".join(deltas) == done.arguments


async def test_output_items_are_valid_input(client):
    """Items of an answer, sent back as input with `store: false`, pass the strict validation."""
    async with connected(client) as socket:
        said = [{"role": "user", "content": "sim:reason"}]
        _, answer = await socket.turn(input=said, include=["reasoning.encrypted_content"])
        again = [*said, *(item.to_dict() for item in answer.output), {"role": "user", "content": "Go on."}]
        _, second = await socket.turn(input=again)
    assert "I received 4 new items" in second.output_text


async def test_a_refusal(client):
    answer = await client.responses.create(model=MODEL, input="sim:refuse(text=Never.)")
    assert answer.output[0].content[0].refusal == "Never."


async def test_incomplete_by_script_and_by_the_limit(client):
    scripted = await client.responses.create(model=MODEL, input="sim:incomplete(reason=content_filter)")
    limited = await client.responses.create(model=MODEL, input="sim:words(n=99)", max_output_tokens=16)
    assert (scripted.status, scripted.incomplete_details.reason) == ("incomplete", "content_filter")
    assert (limited.status, limited.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert limited.output[0].status == "incomplete"
    assert limited.usage.output_tokens == 16
