"""Whatever bytes an upstream sends, over either transport: one ending, of a kind that the contract knows."""

import asyncio

import grpc
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.faults import raw
from tests.integration.faults.endings import STATUS, Ended
from tests.integration.service.talk import SSE, WEBSOCKET
from tests.stack import request, stack

EVENTS = [
    *raw.ANSWER,
    {"type": "response.output_text.done", "item_id": "msg_1", "output_index": 0, "text": "Hello. And?"},
    {"type": "response.failed", "response": {"id": "resp_1", "error": {"code": "server_error"}}},
    {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Try again in 3s."}},
    {
        "type": "response.completed",
        "response": {"id": "resp_2", "output": None, "usage": {"input_tokens": -1}},
    },
    {"type": "response.done", "response": None},
    {},
]
MESSAGES = [msgspec.json.encode(event) for event in EVENTS]

messages = st.one_of(st.sampled_from(MESSAGES), st.binary(max_size=60), st.just(b"[DONE]"))
frames = st.builds(raw.frame, messages, st.sampled_from([0, 1, 1, 1, 1, 2, 8, 9, 10, 3]))
a_stream_of_frames = st.lists(st.one_of(frames, st.binary(max_size=20)), max_size=8).map(b"".join)

lines = st.one_of(
    messages.map(lambda data: b"data: " + data + b"\n\n"),
    st.sampled_from([b": comment\n", b"event: x\r\n", b"\r\n\r\n", b"data:", b"id: 1\r", b"\xef\xbb\xbf"]),
    st.binary(max_size=20),
)
a_stream_of_lines = st.lists(lines, max_size=8).map(b"".join)
heads = st.builds(
    lambda status, kind, *fields: (
        b"HTTP/1.1 %d X\r\nContent-Type: %s\r\n" % (status, kind) + b"".join(fields)
    ),
    st.sampled_from([200, 200, 200, 204, 301, 400, 429, 500, 599]),
    st.sampled_from([b"text/event-stream", b"text/event-stream; charset=latin-1", b"text/html", b""]),
    st.sampled_from([b"", b"Content-Encoding: gzip\r\n", b"Retry-After: soon\r\n", b"X: \xff\r\n"]),
    st.sampled_from(
        [b"", b"Content-Length: 40\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: x\r\n"]
    ),
)


class World:
    """A service before an upstream that says what it is given, and hangs up."""

    def __init__(self) -> None:
        self.says = b""
        self._number = 0

    async def live(self, ready: asyncio.Future[None], end: asyncio.Event) -> None:
        settings = {"COOLDOWN_S": "0", "REPLAY": "safe-only", "PING_INTERVAL_S": "60"}
        async with raw.upstream(self._speak) as url, stack(settings | {"UPSTREAM_URL": url}) as replica:
            self._house = replica
            ready.set_result(None)
            await end.wait()

    async def _speak(self, reader, writer, head):
        if raw.is_upgrade(head):
            writer.write(raw.accepted(head))
            await reader.read(1)  # the request: what is said before it is none of the answer
        writer.write(self.says)
        await writer.drain()

    async def turn(self, says: bytes, options: dict[str, object]) -> Ended:
        self.says = says
        self._number += 1
        asked = request("Hello.", session=f"s{self._number}", options=options)
        events, failure = [], None
        try:
            async with asyncio.timeout(20):
                async for event in self._house.completions.StreamCompletion(asked):
                    events.append(event)  # noqa: PERF401  what came before the failure counts
        except grpc.aio.AioRpcError as error:
            failure = error
        assert self._house.pool._state.leased == 0
        return Ended(events, failure, [])


@pytest.fixture(scope="module")
def turn():
    """Runs one turn against an upstream that says these bytes."""
    with asyncio.Runner() as runner:
        world, end = World(), asyncio.Event()
        ready = runner.get_loop().create_future()
        living = runner.get_loop().create_task(world.live(ready, end))
        runner.run(asyncio.wait([ready, living], return_when=asyncio.FIRST_COMPLETED))
        yield lambda says, options: runner.run(world.turn(says, options))
        end.set()
        runner.run(asyncio.wait([living]))


def check(found: Ended) -> None:
    assert [event.sequence for event in found.events] == list(range(1, len(found.events) + 1))
    endings = [kind for kind in found.kinds if kind in ("done", "error")]
    assert endings == found.kinds[-1:]
    assert found.kinds.count("start") == (len(found.events) > 1 or found.failure is None)
    if found.failure is not None:
        assert found.code == STATUS[found.info.reason]
        assert found.info.metadata["sent"] == ("true" if endings else "false")


hurried = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])


@hurried
@given(says=a_stream_of_frames)
def test_any_bytes_over_a_websocket(turn, says):
    check(turn(says, WEBSOCKET))


@hurried
@given(says=st.one_of(a_stream_of_lines.map(lambda body: raw.STREAM + body), st.binary(max_size=80)))
def test_any_bytes_over_http(turn, says):
    check(turn(says, SSE))


@hurried
@given(head=heads, body=a_stream_of_lines)
def test_any_head_over_http(turn, head, body):
    check(turn(head + b"\r\n" + body, SSE))


def test_the_same_world_can_also_answer(turn):
    """Otherwise all of the above would hold of a service that never answers."""
    assert turn(raw.as_frames(raw.ANSWER), WEBSOCKET).done.message.parts[0].text.text == "Hello."
    assert turn(raw.STREAM + raw.as_stream(raw.ANSWER), SSE).done.message.parts[0].text.text == "Hello."
