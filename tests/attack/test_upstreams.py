"""Upstreams that say too much: what their turns come to, what they cost, and how long others wait."""

from __future__ import annotations

import asyncio
import gzip
import re

import pytest

from service.wire.bounds import MAX_ANSWER_BYTES, MAX_MESSAGE_BYTES
from tests.attack.talk import ADDED, ANSWERED, DONE, WAYS, Said, ask, delta, saying
from tests.attack.victim import probing, victim
from tests.integration.faults import raw

WAIT_S = 0.5
"""0.1 s on a machine that does nothing else."""

GROWTH_MIB = 150
LEFT_MIB = 16
"""How far above its size at the start the process may be once it is over."""

HASTE = {"REPLAY": "safe-only", "COOLDOWN_S": "0", "IDLE_TIMEOUT_S": "10", "FIRST_EVENT_TIMEOUT_S": "10"}


async def freed(service, base: float) -> None:
    """Waits until the memory is back. No garbage is made meanwhile, so the collector does not come."""
    async with asyncio.timeout(30):
        while service.rss_mib() > base + LEFT_MIB:  # noqa: ASYNC110  /proc tells nobody
            await asyncio.sleep(0.1)


@pytest.mark.heavy
@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_without_end_is_ended_by_name_and_freed(way):
    async with (
        saying([ANSWERED, ADDED], endless=[delta("x" * 400)] * 100) as url,
        victim(url, **HASTE) as service,
    ):
        base = service.rss_mib()
        async with probing(service.address) as waits:
            heard = await asyncio.gather(*(ask(service.address, way, f"s{n}") for n in range(4)))
        for one in heard:
            assert (one.kinds, one.reason) == (["start", "text_delta", "error"], "PROTOCOL_ERROR")
            assert f"more than {MAX_ANSWER_BYTES} bytes" in one.message
            assert one.partial == one.text <= MAX_ANSWER_BYTES
        assert service.peak_mib() < base + GROWTH_MIB
        await freed(service, base)
    assert waits.worst_s < WAIT_S


@pytest.mark.heavy
@pytest.mark.parametrize("leaving", ["cancel", "deadline"])
@pytest.mark.parametrize("way", WAYS)
async def test_what_was_cut_off_is_freed(way, leaving):
    large = [ANSWERED, ADDED, *[delta("x" * 4000)] * 2000]
    heartbeat: list[Said] = [{"type": "response.in_progress", "response": {"id": "resp_1"}}]
    async with saying(large, endless=heartbeat) as url, victim(url, **HASTE) as service:
        base = service.rss_mib()
        how = {"stop_at": 7_000_000} if leaving == "cancel" else {"timeout": 5.0}
        heard = await asyncio.gather(*(ask(service.address, way, f"s{n}", **how) for n in range(4)))
        assert min(one.text for one in heard) >= 7_000_000
        await freed(service, base)


BRACKETS = b"[" + b"[]," * (MAX_MESSAGE_BYTES // 3 - 100) + b"[]]"
MESSAGE: dict[str, object] = {"type": "message", "id": "", "content": [{"type": "output_text", "text": "a"}]}


def items(number: int, *, offset: int = 0) -> list[dict[str, object]]:
    return [MESSAGE | {"id": f"m{index + offset}"} for index in range(number)]


def ended(output: list[dict[str, object]]) -> dict[str, object]:
    return {"type": "response.completed", "response": {"id": "resp_1", "output": output}}


def each_done(number: int) -> list[dict[str, object]]:
    return [
        {"type": "response.output_item.done", "output_index": index, "item": item}
        for index, item in enumerate(items(number))
    ]


CASES: dict[str, list[Said]] = {
    "one delta of 8 MB": [ANSWERED, ADDED, delta("x" * 8_000_000), DONE],
    "a frame over the bound": [ANSWERED, ADDED, delta("x" * (MAX_MESSAGE_BYTES + 1)), DONE],
    "4,000 items, known": [ANSWERED, *each_done(4000), ended(items(4000))],
    "4,000 items under other ids": [ANSWERED, *each_done(4000), ended(items(4000, offset=10_000))],
    "10,000 items in the end": [ANSWERED, ended(items(10_000))],
    "100,000 contents in one item": [ANSWERED, ended([MESSAGE | {"content": [{}] * 100_000}])],
    "an error text of 16 MB": [
        ANSWERED,
        b'{"type":"error","error":{"message":"' + b"sk-aaaa " * 2_000_000 + b'"}}',
    ],
    "an error of brackets": [ANSWERED, b'{"type":"error","error":' + BRACKETS + b"}"],
    "ignored brackets": [ANSWERED, b'{"type":"x","a":' + BRACKETS + b"}", ADDED, delta("x"), DONE],
    "an output of brackets": [
        ANSWERED,
        b'{"type":"response.completed","response":{"output":' + BRACKETS + b"}}",
    ],
    "arguments of brackets": [
        ANSWERED,
        {
            "type": "response.output_item.done",
            "item": {"type": "function_call", "call_id": "c", "name": "f", "arguments": "[]," * 2_500_000},
        },
        DONE,
    ],
    "100,000 unknown kinds": [
        ANSWERED,
        ADDED,
        *(b'{"type":"x.%d"}' % n for n in range(100_000)),
        delta("x"),
        DONE,
    ],
}
FITS = {"one delta of 8 MB", "4,000 items, known", "4,000 items under other ids", "ignored brackets"}
FITS |= {"arguments of brackets", "100,000 unknown kinds"}


@pytest.mark.heavy
@pytest.mark.parametrize("way", WAYS)
async def test_nothing_that_is_said_holds_the_others(way):
    events: list[Said] = []
    async with saying(events) as url, victim(url, **HASTE) as service:
        for name, case in CASES.items():
            events[:] = case
            async with probing(service.address) as waits:
                heard = await ask(service.address, way, re.sub(r"\W", "-", name))
            assert heard.kinds[-1] == ("done" if name in FITS else "error"), (name, heard)
            assert heard.reason in ("", "PROTOCOL_ERROR", "UPSTREAM_ERROR"), name
            assert waits.worst_s < WAIT_S, name


@pytest.mark.heavy
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
async def test_an_encoded_answer_is_refused_before_it_is_unpacked(status):
    bomb = gzip.compress(b"\n" * 60_000_000)

    async def handle(reader, writer, head):
        writer.write(f"HTTP/1.1 {status}\r\nContent-Type: text/event-stream\r\n".encode())
        writer.write(b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb)

    async with raw.upstream(handle) as url, victim(url, **HASTE) as service:
        base = service.peak_mib()
        async with probing(service.address) as waits:
            heard = await ask(service.address, "sse")
        assert "Content-Encoding gzip, which was not asked for" in heard.message
        assert service.peak_mib() < base + 30
    assert waits.worst_s < WAIT_S


@pytest.mark.heavy
@pytest.mark.parametrize("nothing", [b"\n", b":\n", b"data:\n", b"\r\n"], ids=repr)
async def test_lines_that_say_nothing_hold_nobody(nothing):
    async def handle(reader, writer, head):
        writer.write(raw.STREAM + raw.as_stream([ANSWERED, ADDED]))
        for _ in range(160):
            writer.write(nothing * (100_000 // len(nothing)))
            await writer.drain()
        writer.write(b"\n" + raw.as_stream(raw.ANSWER[2:]))

    async with raw.upstream(handle) as url, victim(url, **HASTE) as service:
        base = service.peak_mib()
        async with probing(service.address) as waits:
            heard = await ask(service.address, "sse")
        # Lines of data are an event at last, though none of the dialect's.
        assert heard.kinds[-1] == ("error" if nothing.startswith(b"data") else "done")
        assert service.peak_mib() < base + GROWTH_MIB
    assert waits.worst_s < WAIT_S


FLOODS = {
    "empty fragments": raw.frame(b"", 1, fin=False) + raw.frame(b"", 0, fin=False) * 30_000,
    "fragments of one byte": raw.frame(b"a", 1, fin=False) + raw.frame(b"a", 0, fin=False) * 30_000,
    "pings": raw.frame(b"", 9) * 30_000,
    "long pings that are not read": raw.frame(b"x" * 125, 9) * 500,
    "pongs": raw.frame(b"", 10) * 30_000,
    "empty binaries": raw.frame(b"", 2) * 30_000,
}


@pytest.mark.heavy
@pytest.mark.parametrize("flood", FLOODS)
async def test_frames_that_say_nothing_are_bounded(flood):
    """On the line that rests after a turn, and then in the turn over the next one."""
    lines = []

    async def handle(reader, writer, head):
        lines.append(head)
        writer.write(raw.accepted(head))
        await reader.read(1 << 16)
        writer.write(raw.as_frames(raw.ANSWER if len(lines) == 1 else raw.ANSWER[:1]))
        await asyncio.sleep(0.2)
        for _ in range(200):
            writer.write(FLOODS[flood])
            await writer.drain()
        await reader.read()

    async with raw.upstream(handle) as url, victim(url, **HASTE) as service:
        base = service.peak_mib()
        async with probing(service.address) as waits:
            assert (await ask(service.address, "ws", "rests")).kinds[-1] == "done"
            await asyncio.sleep(1.5)
            heard = await ask(service.address, "ws", timeout=15)
        assert service.alive
        assert service.peak_mib() < base + 40
        assert heard.code != "OK"
    assert waits.worst_s < WAIT_S
