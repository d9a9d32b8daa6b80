"""The same answers and faults over HTTP."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from simulator import scripts
from simulator.scripts import Close, Drop, End, Fail, Framing, Gate, Hang, Page, Say, Script, Start

POSITIONS = ["start", "created", "content"]
SEEN = {"start": 0, "created": 2, "content": 10}
BODY = {"model": "m", "input": "Hello.", "stream": True}


def events_in(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]


async def read_into(seen: list[str], http) -> None:
    async with http.stream("POST", "/responses", json=BODY) as answer:
        async for text in answer.aiter_text():
            seen.append(text)  # noqa: PERF401 (what came before the break must be kept)


async def broken_stream(http) -> str:
    """Return what arrived before the connection broke."""
    seen: list[str] = []
    with pytest.raises(httpx.TransportError):
        await read_into(seen, http)
    return "".join(seen)


@pytest.mark.parametrize("at", POSITIONS)
@pytest.mark.parametrize("fault", [Drop(), Drop(reset=False), Close(1011)])
async def test_the_connection_breaks(sim, http, at, fault):
    sim.enqueue(Script(*scripts.until(at), fault))
    seen = await broken_stream(http)
    if fault != Drop():
        assert len(events_in(seen)) == SEEN[at]
    await sim.wait_for(lambda: sim.stats.broken == 1)


@pytest.mark.parametrize("at", POSITIONS)
async def test_the_body_ends_without_a_terminal_event(sim, http, at):
    sim.settings.framing = Framing(done=True)
    sim.enqueue(Script(*scripts.until(at), End()))
    answer = await http.post("/responses", json=BODY)
    assert answer.status_code == 200
    assert len(events_in(answer.text)) == SEEN[at]
    assert "[DONE]" not in answer.text
    assert sim.requests[0].finished == "broken"


async def test_a_page_instead_of_an_answer(sim, http):
    sim.enqueue(Script(Page(520, "<html>oops</html>", headers={"retry-after": "3"})))
    answer = await http.post("/responses", json=BODY)
    assert (answer.status_code, answer.text) == (520, "<html>oops</html>")
    assert (answer.headers["content-type"], answer.headers["retry-after"]) == ("text/html", "3")


async def test_a_page_after_the_start_breaks_the_connection(sim, http):
    sim.enqueue(Script(Start(), Page()))
    assert len(events_in(await broken_stream(http))) == 2


@pytest.mark.parametrize("reads", [True, False])
async def test_hang(sim, http, reads):
    sim.enqueue(Script(Start(), Hang(reads=reads)))
    reading = asyncio.create_task(read_into([], http))
    await sim.wait_for(lambda: sim.stats.in_flight == 1)
    assert (await asyncio.wait([reading], timeout=0.1))[1] == {reading}
    reading.cancel()
    await asyncio.wait([reading])
    await sim.wait_for(lambda: sim.stats.aborted == int(reads))


async def test_a_client_that_leaves_is_counted(sim, http):
    sim.enqueue(Script(Start(), Gate("never")))
    async with http.stream("POST", "/responses", json=BODY):
        await sim.wait_for(lambda: sim.stats.in_flight == 1)
    await sim.wait_for(lambda: sim.stats.aborted == 1)
    assert sim.requests[0].finished == "aborted"


async def test_a_failure_before_the_first_event_is_a_status(sim, http):
    headers = {"retry-after-ms": "250", "x-should-retry": "true"}
    sim.enqueue(Script(Fail("Slow down.", "slow_down", 429, "rate_limit", None, headers)))
    answer = await http.post("/responses", json=BODY)
    assert answer.status_code == 429
    assert answer.json() == {
        "error": {"message": "Slow down.", "type": "rate_limit", "param": None, "code": "slow_down"}
    }
    assert (answer.headers["retry-after-ms"], answer.headers["x-should-retry"]) == ("250", "true")
    assert answer.headers["x-request-id"].startswith("req_")


async def test_a_failure_in_the_stream_is_an_event(sim, http):
    sim.enqueue(Script(Start(), Fail(shape="flat")), Script(Start(), Fail()))
    flat, natural = [await http.post("/responses", json=BODY) for _ in range(2)]
    assert events_in(flat.text)[-1] == {
        "type": "error",
        "code": "server_error",
        "message": "The server had an error while processing your request.",
        "param": None,
        "sequence_number": 2,
    }
    assert events_in(natural.text)[-1]["type"] == "response.failed"


async def test_without_streaming_a_failed_response_is_still_a_response(sim, http):
    sim.enqueue(Script(Start(), Fail()), Script(Start(), End()))
    failed, nothing = [await http.post("/responses", json={**BODY, "stream": False}) for _ in range(2)]
    assert (failed.status_code, failed.json()["status"]) == (200, "failed")
    assert (nothing.status_code, nothing.text) == (200, "")


@pytest.mark.parametrize(
    ("garbage", "bytes_"),
    [
        (scripts.NOT_JSON, b'data: {"type": "response.output_text.delta", \n\n'),
        (scripts.NOT_AN_OBJECT, b'data: ["response.created"]\n\n'),
        (scripts.BAD_UTF8, b'data: {"type": "\xff\xfe"}\n\n'),
        (scripts.BINARY, b"\x00\x01\x02\x03"),
    ],
)
async def test_garbage(sim, http, garbage, bytes_):
    sim.enqueue(Script(garbage, Say("More.")))
    answer = await http.post("/responses", json=BODY)
    assert answer.content.startswith(bytes_)
    assert b"response.completed" in answer.content


async def test_framing_comes_from_the_script_or_from_the_settings(sim, http):
    sim.settings.framing = Framing(done=True)
    sim.enqueue(Script(framing=Framing(newline="\r\n")))
    scripted, usual = [await http.post("/responses", json=BODY) for _ in range(2)]
    assert scripted.text.endswith("}\r\n\r\n")
    assert usual.text.endswith("}\n\ndata: [DONE]\n\n")


async def test_a_missing_last_blank_line(sim, http):
    sim.enqueue(Script(framing=Framing(last_blank_line=False)))
    answer = await http.post("/responses", json=BODY)
    assert answer.text.endswith("}\n")
    assert not answer.text.endswith("\n\n")


async def test_characters_are_split_across_writes(sim, http):
    sim.enqueue(Script(Say("你好 🙂"), framing=Framing(chunk_bytes=1)))
    async with http.stream("POST", "/responses", json=BODY) as answer:
        chunks = [chunk async for chunk in answer.aiter_raw()]
    assert max(map(len, chunks)) == 1
    assert "你好 🙂" in b"".join(chunks).decode()
