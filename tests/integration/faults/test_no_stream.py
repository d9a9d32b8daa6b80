"""An HTTP 200 that is no stream, though one was asked for: the whole response, or an error."""

import msgspec
import pytest

from tests.integration.faults import raw
from tests.integration.service.talk import SSE, failed_stream, route
from tests.stack import kinds_of, request, text_of

WHOLE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "output": [
        {"type": "message", "id": "m", "content": [{"type": "output_text", "text": "Hello."}]},
        {"type": "function_call", "id": "f", "call_id": "call_1", "name": "lookup", "arguments": "{}"},
    ],
    "usage": {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9},
}
LIMITED = {"error": {"message": "Slow down in organization org-1a2b3c", "code": 429}}


def answering(body, asked, kind=b"application/json"):
    data = msgspec.json.encode(body)

    async def handle(reader, writer, head):
        asked.append(head)
        if raw.is_upgrade(head):
            writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return
        length = str(len(data)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nRetry-After: 7\r\nContent-Type: " + kind)
        writer.write(b"\r\nContent-Length: " + length + b"\r\n\r\n" + data)

    return handle


@pytest.mark.parametrize("kind", [b"application/json; charset=utf-8", b"text/event-stream", b"text/plain"])
@pytest.mark.parametrize(("options", "requests"), [({}, 2), (SSE, 1)], ids=["auto", "sse"])
async def test_a_whole_response_is_the_answer(start, options, requests, kind):
    asked: list[bytes] = []
    async with raw.upstream(answering(WHOLE, asked, kind)) as url:
        replica = await start({"UPSTREAM_URL": url})
        events = await replica.turn(request("Hello.", options=options))
    assert list(dict.fromkeys(kinds_of(events))) == ["start", "text_delta", "tool_call_delta", "done"]
    done = events[-1].done
    assert (text_of(events), done.message.parts[1].tool_call.call_id) == ("Hello.", "call_1")
    assert (route(done)[0], done.report.attempts, done.usage.input_tokens) == ("SSE", 1, 7)
    assert len(asked) == requests


async def test_an_error_is_what_it_says_and_costs_one_request(start):
    asked: list[bytes] = []
    async with raw.upstream(answering(LIMITED, asked)) as url:
        replica = await start({"UPSTREAM_URL": url})
        events, failure = await failed_stream(replica, request("Hello.", options=SSE))
    assert (failure.reason, len(asked)) == ("RATE_LIMITED", 1)
    assert "in organization [id]" in failure.message
    assert events[-1].error.retry_after.seconds == 7
