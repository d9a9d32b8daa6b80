import asyncio
import json

import httpx2
import openai
import pytest

from trunkline import Done, Message, Part, Report, Start, TextDelta, TrunklineError, Upstream, Usage
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, ReasoningPart, TextPart
from trunkline.openai_transport import CONVERSATION, TrunklineTransport

START = Start("t", "m", "websocket", "full")
SILENCE = object()


def done(*parts):
    message = Message(role=ROLE_ASSISTANT, parts=parts)
    return Done(message, "stop", Usage(), "m", "p", None, Report("resp_1"))


def said(text, item_id="msg_1", **more):
    return Part(text=TextPart(text=text, **more), item_id=item_id)


class Turn:
    """Yields events, or raises what stands among them."""

    def __init__(self, events, settle):
        self._events, self._settle, self.left = list(events), settle, False

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._events:
            raise StopAsyncIteration
        event = self._events.pop(0)
        if event is SILENCE:
            await asyncio.Event().wait()
        if isinstance(event, BaseException):
            self._settle(None)
            raise event
        if isinstance(event, Done):
            self._settle(event)
        return event

    async def aclose(self):
        self.left = True


class Service:
    """Stands for a client: answers each request with the next events, and keeps both."""

    def __init__(self, *answers):
        self._answers, self.requests, self.turns = list(answers), [], []

    def stream_request(self, request, *, settle, resume):
        self.requests.append(request)
        self.turns.append(Turn(self._answers.pop(0), settle))
        return self.turns[-1]


@pytest.fixture
def connect():
    def connected(*answers, **options):
        service = Service(*answers)
        http_client = httpx2.AsyncClient(transport=TrunklineTransport(service, **options))  # type: ignore[arg-type]
        client = openai.AsyncOpenAI(
            api_key="k", base_url="http://t/v1", http_client=http_client, max_retries=0
        )
        return service, client

    return connected


async def test_an_answer_in_one_piece(connect):
    service, client = connect([START, TextDelta(0, "Hi."), done(said("Hi."))], transport="sse")
    response = await client.responses.create(model="m", input="Hello.", temperature=0)
    assert (response.output_text, response.id, response.output[0].id) == ("Hi.", "resp_1", "msg_1")
    (request,) = service.requests
    assert (request.model, request.options.HasField("temperature")) == ("m", True)
    assert request.options.transport


async def test_a_streamed_answer(connect):
    _, client = connect([START, TextDelta(0, "Hi"), TextDelta(0, "."), done(said("Hi."))])
    stream = await client.responses.create(model="m", input="Hello.", stream=True)
    events = [event async for event in stream]
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["Hi", "."]
    response = events[-1].response
    assert (response.id, response.output_text) == ("resp_1", "Hi.")
    ids = {event.item_id for event in events if hasattr(event, "item_id")}
    assert ids == {response.output[0].id}


async def test_what_was_said_goes_back_as_it_was(connect):
    thought = Part(
        reasoning=ReasoningPart(id="rs_1", summary=["a", "b"], encrypted_content="s"), item_id="rs_1"
    )
    answer = done(thought, said("Hi.", phase="final_answer"))
    service, client = connect([START, answer], [START, answer])
    stream = await client.responses.create(model="m", input="Hello.", stream=True)
    first, text = [event async for event in stream][-1].response.output
    history = [
        {"role": "user", "content": "Hello."},
        {
            "type": "reasoning",
            "id": first.id,
            "summary": [{"type": "summary_text", "text": "ab"}],
            "encrypted_content": "s",
        },
        {"type": "message", "id": text.id, "role": "assistant", "content": text.model_dump()["content"]},
        {"role": "user", "content": "Bye."},
    ]
    await client.responses.create(model="m", input=history)
    assert service.requests[1].messages[1] == answer.message
    assert service.requests[0].session_id == service.requests[1].session_id


async def test_a_placeholder_that_nobody_remembers_is_no_id(connect):
    service, client = connect([START, done(said("Hi."))])
    unknown = {"type": "reasoning", "id": f"trunkline_{'0' * 32}_3", "summary": [], "encrypted_content": "s"}
    await client.responses.create(model="m", input=[unknown, {"role": "user", "content": "x"}])
    part = service.requests[0].messages[0].parts[0]
    assert (part.item_id, part.reasoning.id, part.reasoning.encrypted_content) == ("", "", "s")


async def test_sessions(connect):
    service, client = connect(*([START, done(said("Hi."))] for _ in range(3)))
    named = {"extra_headers": {CONVERSATION: "ada"}}
    await client.responses.create(model="m", input="Hello.", **named)
    await client.responses.create(model="m2", input="Hello.", extra_body={"trunkline": {"session_id": "own"}})
    await client.responses.create(model="m", input="Again.")
    first, own, other = [request.session_id for request in service.requests]
    assert (first, own) == ("ada", "own")
    assert other not in (first, own)


FAILURES = [
    (TrunklineError("RATE_LIMITED", "slow", retryable=True, retry_after=0.5, sent=True), 429, "true"),
    (TrunklineError("CONNECT_FAILED", "away", retryable=True, sent=False), 503, "true"),
    (TrunklineError("CONNECTION_LOST", "lost", retryable=True, sent=True), 502, "false"),
    (TrunklineError("UNAVAILABLE", "died"), 502, "false"),
    (TrunklineError("INVALID_REQUEST", "bad", upstream=Upstream("dry", "bad", 422, "req_1")), 422, "false"),
]


@pytest.mark.parametrize(
    ("error", "status", "again"), FAILURES, ids=lambda value: getattr(value, "reason", None)
)
async def test_an_error_before_the_beginning(connect, error, status, again):
    _, client = connect([error])
    with pytest.raises(openai.APIStatusError) as raised:
        await client.responses.create(model="m", input="Hello.", stream=True)
    response = raised.value.response
    assert (response.status_code, response.headers["x-should-retry"]) == (status, again)
    assert raised.value.code == (error.upstream.code if error.upstream else error.reason)
    assert response.headers.get("retry-after") == ("0.5" if error.retry_after else None)
    assert raised.value.request_id == (error.upstream.request_id if error.upstream else None)


async def test_an_error_after_the_beginning(connect):
    error = TrunklineError("UPSTREAM_ERROR", "no", upstream=Upstream("server_error"))
    service, client = connect([START, TextDelta(0, "Hi"), error])
    stream = await client.responses.create(model="m", input="Hello.", stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.failed"
    assert events[-1].response.error.code == "server_error"
    assert service.turns[0].left


async def test_leaving_a_stream_stops_the_turn(connect):
    service, client = connect([START, TextDelta(0, "Hi"), TextDelta(0, "."), done(said("Hi."))])
    async with await client.responses.create(model="m", input="Hello.", stream=True) as stream:
        await anext(stream)
    assert service.turns[0].left


@pytest.mark.parametrize("streamed", [True, False])
async def test_silence_is_a_failure_that_nobody_repeats(connect, streamed):
    service, client = connect([SILENCE])
    with pytest.raises(openai.InternalServerError) as raised:
        await client.responses.create(model="m", input="Hello.", stream=streamed, timeout=0.01)
    response = raised.value.response
    assert (response.status_code, response.headers["x-should-retry"]) == (504, "false")
    service, client = connect([START, TextDelta(0, "Hi"), SILENCE])
    stream = await client.responses.create(model="m", input="Hello.", stream=True, timeout=0.01)
    events = [event async for event in stream]
    assert events[-1].response.error.code == "TIMEOUT"
    assert service.turns[0].left


async def test_what_is_no_turn_is_refused(connect):
    service, client = connect()
    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        await client.responses.create(model="m", input="Hello.", previous_response_id="resp_1")
    with pytest.raises(openai.NotFoundError, match="POST /responses only"):
        await client.responses.retrieve("resp_1")
    with pytest.raises(openai.BadRequestError, match="cannot take"):
        await client.post("/responses", body=json.loads("[]"), cast_to=object)
    assert service.requests == []
