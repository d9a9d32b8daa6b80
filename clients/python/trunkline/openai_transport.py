"""Carry the calls of the openai package over Trunkline, as the transport of its HTTP client.

    http_client = httpx2.AsyncClient(transport=TrunklineTransport(AsyncClient("127.0.0.1:50051")))
    openai = AsyncOpenAI(api_key="unused", base_url="http://trunkline/v1", http_client=http_client)

So what is made for the Responses API of that package keeps its own requests, items and errors. It takes
`responses.create` with the whole history as `input`, streamed or not. `extra_body={"trunkline": {…}}` holds
what that API has no name for: `session_id`, and options of a turn (`transport`, `resume`, …).
"""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Unpack

import httpx2

from trunkline.aio.client import AsyncClient
from trunkline.aio.turn import AsyncTurn
from trunkline.errors import TrunklineError, Upstream
from trunkline.events import Done, Event
from trunkline.gen.trunkline.v1.message_pb2 import Message, Part
from trunkline.http_status import http_status, pays_once
from trunkline.options import Options
from trunkline.response_body import ResponseBody, read_body
from trunkline.response_events import ResponseEvents, lasting_id
from trunkline.said_parts import SaidParts
from trunkline.session_finder import SessionFinder

CONVERSATION = "x-trunkline-conversation"
"""The header with a framework's name for the conversation: the id of its session, if that is a new one."""

PLACEHOLDER = re.compile(r"trunkline_[0-9a-f]{32}(_\d+)?")
"""An id that was made here, since the item had none yet."""


class TrunklineTransport(httpx2.AsyncBaseTransport):
    """The transport of one client. `options` are for each call, below those of the call itself."""

    def __init__(self, client: AsyncClient, **options: Unpack[Options]) -> None:
        self.client = client
        self._options = options
        self._sessions: dict[str, SessionFinder] = {}
        self._said = SaidParts()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Make the turn that a request asks for. Cancelling it, or closing the response, stops the turn."""
        if request.method != "POST" or not request.url.path.endswith("/responses"):
            return _refused(404, f"{request.method} {request.url.path}: Trunkline takes POST /responses only")
        try:
            body = read_body(json.loads(await request.aread()), self._options)
        except (AttributeError, LookupError, TypeError, ValueError) as problem:
            return _refused(400, f"Trunkline cannot take the request: {problem!r}")
        self._restore(body.request.messages)
        response_id = f"trunkline_{uuid.uuid4().hex}"
        turn = self._turn(body, response_id, request.headers.get(CONVERSATION, ""))
        events = ResponseEvents(
            body.request.model, placeholder_id=response_id, tools=body.tools, lasting=body.streamed
        )
        patience = request.extensions.get("timeout", {}).get("read")
        try:
            event = await _next(turn, patience)
            if body.streamed:
                stream = EventStream(turn, event, events, patience)
                return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)
            while not isinstance(event, Done):
                event = await _next(turn, patience)
            await turn.aclose()
            *_, last = events.write(event)
            return httpx2.Response(200, json=last["response"])
        except TrunklineError as error:
            return _failed(error)
        except BaseException:
            await turn.aclose()
            raise

    def _restore(self, messages: Sequence[Message]) -> None:
        """Make the answers what they were, and leave out the ids that no upstream knows."""
        self._said.restore(messages)
        for message in messages:
            for part in message.parts:
                if PLACEHOLDER.fullmatch(part.item_id):
                    part.ClearField("item_id")
                    if part.HasField("reasoning"):
                        part.reasoning.ClearField("id")

    def _turn(self, body: ResponseBody, response_id: str, conversation: str) -> AsyncTurn:
        # Each model has its own: one that takes over sends everything, and does not disturb the other's.
        sessions = self._sessions.setdefault(body.request.model, SessionFinder())
        settle_session = sessions.assign(body.request, conversation)

        def settle(done: Done | None) -> None:
            if settle_session is not None:
                settle_session(done)
            if done is not None:
                self._said.keep(_presented(done.message, response_id if body.streamed else ""))

        return self.client.stream_request(body.request, settle=settle, resume=bool(body.request.turn_key))


class EventStream(httpx2.AsyncByteStream):
    """The body of a streamed response. An error after its beginning is its last event."""

    def __init__(self, turn: AsyncTurn, first: Event, events: ResponseEvents, patience: float | None) -> None:
        self._turn = turn
        self._first = first
        self._events = events
        self._patience = patience

    async def __aiter__(self) -> AsyncIterator[bytes]:
        event = self._first
        yield self._written(event)
        try:
            while not isinstance(event, Done):
                event = await _next(self._turn, self._patience)
                yield self._written(event)
        except TrunklineError as error:
            yield _event(self._events.fail(error))

    async def aclose(self) -> None:
        await self._turn.aclose()

    def _written(self, event: Event) -> bytes:
        return b"".join(_event(one) for one in self._events.write(event))


async def _next(turn: AsyncTurn, patience: float | None) -> Event:
    """Return the next event. Raises TrunklineError, also where none comes within the read timeout."""
    try:
        async with asyncio.timeout(patience):
            return await anext(turn)
    except TimeoutError as late:
        raise TrunklineError("TIMEOUT", f"the client waited {patience} s for an event") from late


def _presented(message: Message, response_id: str) -> Iterator[tuple[str, Part]]:
    """Yield the parts of an answer with the ids that the caller got. With a `response_id` it was streamed."""
    for index, part in enumerate(message.parts):
        streamed = response_id and not part.HasField("upstream_item")
        yield lasting_id(response_id, index) if streamed else part.item_id, part


def _event(fields: dict[str, Any]) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


def _refused(status: int, message: str) -> httpx2.Response:
    error = {"message": message, "type": "invalid_request_error", "code": None, "param": None}
    return httpx2.Response(status, json={"error": error}, headers={"x-should-retry": "false"})


def _failed(error: TrunklineError) -> httpx2.Response:
    """Answer with an error. The package's own retries are for what does not pay twice."""
    headers = {"x-should-retry": "true" if error.retryable and pays_once(error) else "false"}
    if error.retry_after is not None:
        headers["retry-after"] = f"{error.retry_after:g}"
    if error.upstream is not None and error.upstream.request_id:
        headers["x-request-id"] = error.upstream.request_id
    return httpx2.Response(http_status(error) or 502, json={"error": _shown(error)}, headers=headers)


def _shown(error: TrunklineError) -> dict[str, Any]:
    upstream = error.upstream or Upstream()
    return {
        "message": str(error),
        "code": upstream.code or error.reason,
        "type": upstream.type or error.reason,
    }
