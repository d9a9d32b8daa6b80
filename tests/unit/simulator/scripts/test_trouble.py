"""The named failures, as a message asks for them, seen by the client."""

import json
from typing import Any

import pytest


async def ask(dial, create, receive, text):
    async with dial() as socket:
        await socket.send(create(text))
        return await receive(socket, "response.completed", "response.failed", "response.done", "error")


def text_of(event):
    return event["response"]["output"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("sim:fail", {"type": "error", "status": 500}),
        ("sim:fail(status=429, code=slow_down, retry_after=2)", {"type": "error", "status": 429}),
        ("sim:fail(at=created)", {"type": "response.failed"}),
        ("sim:fail(at=content, shape=message_only, message=No.)", {"type": "error", "message": "No."}),
        ("sim:expired", {"type": "error", "status": 400}),
    ],
)
async def test_failures(dial, create, receive, text, last):
    events = await ask(dial, create, receive, text)
    assert {name: events[-1][name] for name in last} == last


async def test_a_dialect_without_numbers(dial, create, receive):
    events = await ask(dial, create, receive, "sim:no_sequence")
    assert all("sequence_number" not in event for event in events)


async def test_an_empty_output_is_still_remembered(dial, create, receive, sim):
    async with dial() as socket:
        await socket.send(create("sim:empty_output"))
        last = (await receive(socket))[-1]["response"]
        assert last["output"] == []
        await socket.send(create("And?", previous_response_id=last["id"]))
        await receive(socket)
    assert sim.requests[-1].known_items == 2


async def test_done_instead_of_completed(dial, create, receive):
    assert (await ask(dial, create, receive, "sim:done_alias"))[-1]["type"] == "response.done"


async def test_usage_under_other_names(dial, create, receive):
    usage = (await ask(dial, create, receive, "sim:usage_alias"))[-1]["response"]["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["output_tokens_details"] is None
    assert "total_tokens" not in usage


@pytest.mark.parametrize("streamed", [0, 5])
async def test_late_text(dial, create, receive, streamed):
    events = await ask(dial, create, receive, f"sim:late_text(streamed={streamed})")
    deltas = "".join(event.get("delta", "") for event in events)
    assert deltas == text_of(events[-1])[:streamed]


async def test_unknown_events(dial, create, receive):
    kinds = {event["type"] for event in await ask(dial, create, receive, "sim:unknown_events")}
    assert {"codex.rate_limits", "response.metadata", "response.telepathy.delta", "acme:trace"} <= kinds


async def test_foreign_events_stand_between_our_own(sim, dial, create, receive):
    async with dial() as socket:
        await socket.send(create("sim:foreign"))
        events: list[dict[str, Any]] = []
        while sum(event["type"] == "response.completed" for event in events) < 3:
            events.append(json.loads(await socket.recv()))
    assert events[-1]["response"]["id"] == sim.requests[0].response_id
    assert [item["content"][0]["text"] for item in events[-1]["response"]["output"]] == ["First.", "Second."]
    assert {event["stream_id"] for event in events if "stream_id" in event} == {"other"}


async def test_framings_by_name(http):
    body = {
        "model": "m",
        "stream": True,
        "input": "sim:sse(crlf=true, comments=true, done=true, multiline=true)",
    }
    text = (await http.post("/responses", json=body)).text
    assert text.startswith(": keep-alive\r\n\r\nevent: response.created\r\ndata: {\r\ndata: ")
    assert text.endswith("data: [DONE]\r\n\r\n")
    assert "\u2028" in text


async def test_rate_limits_come_after_the_end(dial, create, receive):
    async with dial() as socket:
        await socket.send(create("sim:rate_limits(after_ms=1)"))
        ended = (await receive(socket))[-1]
        late = json.loads(await socket.recv())
        assert late["type"] == "response.rate_limits.updated"
        assert late["sequence_number"] == ended["sequence_number"] + 1
        await socket.send(create("And?", previous_response_id=ended["response"]["id"]))
        assert (await receive(socket))[-1]["type"] == "response.completed"


async def test_rate_limits_come_after_the_end_over_http(http):
    body = {"model": "m", "stream": True, "input": "sim:rate_limits"}
    text = (await http.post("/responses", json=body)).text
    assert text.index("event: response.completed") < text.index("event: response.rate_limits.updated")


async def test_keepalive_before_within_and_after(http):
    body = {"model": "m", "stream": True, "input": "sim:keepalive(n=1, every_ms=1)"}
    text = (await http.post("/responses", json=body)).text
    kinds = [line.removeprefix("event: ") for line in text.split("\n") if line.startswith("event: ")]
    beats = [number for number, kind in enumerate(kinds) if kind == "keepalive"]
    assert beats == [0, kinds.index("response.in_progress") + 1, len(kinds) - 1]


async def test_signs_of_life_that_are_no_events(http, dial, create, receive, sim):
    body = {"model": "m", "stream": True, "input": "sim:prefill(n=2, every_ms=1)"}
    text = (await http.post("/responses", json=body)).text
    assert text.startswith(": keep-alive\n\n: keep-alive\n\nevent: response.created")
    events = await ask(dial, create, receive, "sim:prefill(n=2, every_ms=1)")
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
